import type { Catalogue } from '#config/catalogue.ts';
import { splitTarget } from './canonical-path.ts';

/**
 * The one validator of addresses to come back to after signing in. Accepts an absolute address on a host of the catalogue, or a
 * path on the portal; anything else gives null. What it returns was rebuilt from the parsed address, never the text it was given.
 */
export type ReturnAddress = {
  href: string;
  host: string;
  path: string;
  portal: boolean;
  /** What the portal redirects to: a path of its own, or a whole address elsewhere. */
  location: string;
};
export type ReturnAddresses = (text: unknown) => ReturnAddress | null;

const LONGEST = 4096;

/** Builds it for the hosts of a catalogue. */
export function createReturnAddresses(catalogue: Catalogue): ReturnAddresses {
  const origins = new Map<string, { host: string; portal: boolean }>([
    [catalogue.portal.origin, { host: catalogue.portal.host, portal: true }],
  ]);
  for (const site of catalogue.sites) origins.set(site.origin, { host: site.host, portal: false });

  return text => {
    if (typeof text !== 'string' || text.length === 0 || text.length > LONGEST) return null;
    // Browsers drop tabs and line ends and read `\` as `/` inside addresses (CVE-2021-32786, CVE-2026-75628): refuse, never repair.
    if (/[^\x21-\x7e]|\\/.test(text)) return null;
    if (text.startsWith('/') && (text.startsWith('//') || splitTarget(text).path.includes('//'))) return null;
    if (!text.startsWith('/') && !/^https?:\/\/[a-z0-9]/i.test(text)) return null;
    const url = URL.parse(text, catalogue.portal.origin);
    const place = url && origins.get(url.origin);
    if (!place || url.username || url.password || url.pathname.startsWith('//')) return null;
    const path = url.pathname + url.search;
    const href = url.origin + path;
    return { href, host: place.host, path, portal: place.portal, location: place.portal ? path : href };
  };
}
