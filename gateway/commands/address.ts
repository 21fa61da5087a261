import { sayInstant } from '#config/calendar.ts';
import { type Catalogue, closureAt, type Page, type Service, type Site } from '#config/catalogue.ts';
import { buildSites, normalHost } from '../sites.ts';
import { UsageFault } from './command.ts';

/** What the gateway makes of an address, with the lines that say so: a page of a site, or whether something else is served there. */
export type Address = { lines: string[]; found: FoundPage | null; served: boolean };
export type FoundPage = { site: Site; page: Page };

export type WrittenAddress = { authority: string; path: string };

/**
 * Takes an address apart by hand: URL would resolve dots and backslashes first, and a request that carries them is judged as it
 * stands. http and https meet the gateway at the same page.
 */
export function takeApart(url: string): WrittenAddress {
  const match = /^https?:\/\/([^/?#]+)([^?#]*)/i.exec(url.trim());
  if (!match) throw new UsageFault(`"${url}" is not a whole address such as https://www.example.org/page.`);
  const [, authority = '', path = ''] = match;
  return { authority, path: path === '' ? '/' : path };
}

/** Looks an address up as a request for it would be. */
export function lookUp(catalogue: Catalogue, { authority, path }: WrittenAddress, at: number): Address {
  const sites = buildSites(catalogue);
  const place = sites.place(authority);
  const host = normalHost(authority) ?? authority;
  if (place.kind === 'unknown')
    return nowhere([`Host      ${host}: not one of ours (421). The gateway answers for ${hostsOf(catalogue)}.`]);
  if (place.kind === 'portal')
    return { ...nowhere([`Host      ${host}: the portal itself; its pages ask for what they need.`]), served: true };
  const { site } = place;
  const lines = [`Host      ${site.host}`];
  const found = sites.find(site, path);
  if ('refused' in found)
    return nowhere([...lines, `Page      none: the path has ${found.refused}, and servers could read it in different ways (400).`]);
  if ('portalPath' in found)
    return { ...nowhere([...lines, `Page      a bookmark that leads to ${catalogue.portal.origin}${found.portalPath}`]), served: true };
  if ('missing' in found) return nowhere([...lines, 'Page      none: nothing in the catalogue covers this path (404).']);
  return { lines: [...lines, ...describe(catalogue, found.page, at)], found: { site, page: found.page }, served: true };
}

const nowhere = (lines: string[]): Address => ({ lines, found: null, served: false });

const hostsOf = ({ portal, sites }: Catalogue): string => [portal.host, ...sites.map(({ host }) => host)].join(', ');

function describe(catalogue: Catalogue, page: Page, at: number): string[] {
  const service = catalogue.services.find(({ id }) => id === page.service);
  const kinds = {
    open: 'open to everybody, without signing in',
    shared: 'shared by the services of this host: open to whoever may use one of them',
    protected: 'protected',
  };
  const covers = page.match === 'prefix' ? `${page.path} and everything below it` : page.path;
  const leads = page.target === null ? `Served by ${page.upstream}` : `An old login; it leads to ${page.target}`;
  const named = service ? [`Service   ${service.id}: ${service.fullName}`, ...sayClosure(service, at)] : [];
  return [`Page      ${covers}: ${kinds[page.kind]}`, `          ${leads}`, ...named];
}

/** What those meet who are allowed. */
function sayClosure(service: Service, at: number): string[] {
  const closure = closureAt(service, at);
  if (!closure) return [];
  const until = closure.until === null ? '' : ` until ${sayInstant(closure.until)}`;
  return [`          Closed for maintenance${until} (503): ${closure.words}`];
}
