import type { Catalogue, Page, Site } from '#config/catalogue.ts';
import { foldNames, reservedPrefix } from '#config/catalogue-addresses.ts';
import { canonicalPath, readings, splitTarget } from './canonical-path.ts';
import { remembered } from './remembered.ts';

/** Where a host leads: the portal itself, one of the sites, or nowhere we answer for. */
export type Place = { kind: 'portal' } | { kind: 'site'; site: Site } | { kind: 'unknown' };
/** A page; an old bookmark that leads to a path of the portal; or why there is nothing. */
export type Found = { page: Page } | { portalPath: string } | { refused: string } | { missing: true };

export type Sites = {
  place(hostHeader: string | undefined): Place;
  find(site: Site, path: string): Found;
};

/** The host of a `Host` header in normal form: lower case, no port, no final dot; null if it is not a host name at all. */
export function normalHost(header: string | undefined): string | null {
  const match = /^([A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)\.?(?::[0-9]{1,5})?$/.exec(header ?? '');
  return match?.[1] && !match[1].includes('..') ? match[1].toLowerCase() : null;
}

type Index = { exact: Map<string, Page>; prefix: Map<string, Page>; bookmarks: Map<string, string> };

/** Builds the look-up of hosts and pages. Pages match on whole segments, the longest wins, case does not count. */
export function buildSites(catalogue: Catalogue): Sites {
  const places = new Map<string, Place>([[catalogue.portal.host, { kind: 'portal' }]]);
  const finders = new Map<Site, (path: string) => Found>();
  for (const site of catalogue.sites) {
    places.set(site.host, { kind: 'site', site });
    const index = indexPages(site);
    // Most people ask for the same few pages.
    finders.set(
      site,
      remembered(
        path => findPage(index, path),
        found => 'page' in found,
      ),
    );
  }
  const unknown: Place = { kind: 'unknown' };
  // Asked several times for every request, and browsers spell a host in few ways.
  const placeOf = remembered(
    host => places.get(normalHost(host) ?? '') ?? unknown,
    found => found !== unknown,
  );
  return {
    place: (hostHeader = '') => placeOf(hostHeader),
    find: (site, path) => finders.get(site)?.(path) ?? { missing: true },
  };
}

type Asked = { headers: { host?: string | undefined }; url: string };

/** The page that a whole request leads to, whatever it led to when it came; null if it leads to none any more. */
export function pageAt(sites: Sites, { headers, url }: Asked): { site: Site; page: Page } | null {
  const place = sites.place(headers.host);
  if (place.kind !== 'site') return null;
  const found = sites.find(place.site, splitTarget(url).path);
  return 'page' in found ? { site: place.site, page: found.page } : null;
}

function indexPages(site: Site): Index {
  const index: Index = { exact: new Map(), prefix: new Map(), bookmarks: new Map() };
  for (const page of site.pages) {
    const key = keyOf(site, page.path);
    index[page.match].set(page.match === 'prefix' ? withoutFinalSlash(key) : key, page);
  }
  for (const [path, portalPath] of site.bookmarks) index.bookmarks.set(withoutFinalSlash(keyOf(site, path)), portalPath);
  return index;
}

function keyOf(site: Site, path: string): string {
  const canonical = canonicalPath(path);
  if ('refused' in canonical) throw new Error(`${site.host}${path}: ${canonical.refused}`);
  return foldNames(canonical.key);
}

const withoutFinalSlash = (key: string) => (key.endsWith('/') ? key.slice(0, -1) : key);

function findPage(index: Index, raw: string): Found {
  const path = canonicalPath(raw);
  if ('refused' in path) return path;
  if (path.key === reservedPrefix || path.key.startsWith(`${reservedPrefix}/`)) return { missing: true };
  const key = foldNames(path.key);
  const portalPath = index.bookmarks.get(withoutFinalSlash(key));
  if (portalPath !== undefined) return { portalPath };
  const page = longestMatch(index, key);
  if (!path.odd) return page ? { page } : { missing: true };
  const keys = page?.oddPaths ? readings(raw) : null;
  return page && keys?.every(reading => longestMatch(index, foldNames(reading)) === page) ? { page } : { refused: path.odd };
}

function longestMatch(index: Index, key: string): Page | null {
  const exact = index.exact.get(key);
  if (exact) return exact;
  for (let end = withoutFinalSlash(key).length; end >= 0; end = key.lastIndexOf('/', end - 1)) {
    const above = key.slice(0, end);
    const prefix = index.prefix.get(above);
    if (prefix) return prefix;
    // What lies beneath an exact page belongs to that page or to nobody: many servers hand `/page.asp/anything` to page.asp
    // (path info), so a wider open page must not cover it.
    if (end < key.length && index.exact.has(above) && index.exact.get(above)?.kind !== 'open') return null;
    if (end === 0) break;
  }
  return null;
}
