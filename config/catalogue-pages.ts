import type { Page, Site } from './catalogue.ts';
import { covers, pathKey, readAddress } from './catalogue-addresses.ts';
import { namesWith, usualNames } from './catalogue-headers.ts';
import type { Place, WrittenCatalogue, WrittenPage, WrittenService, WrittenSite } from './catalogue-shape.ts';

/** A page with the place it is written at. */
export type PlacedPage = { page: Page; at: Place };

/** Every page of every site: shared files, a declared open rest, and the services' pages, exclusions and old logins. */
export function pagesOf(written: WrittenCatalogue): PlacedPage[] {
  const sites = new Map(written.sites.map(({ value }) => [new URL(value.origin).hostname, value]));
  return [
    ...written.sites.flatMap(({ value, at }) => sitePages(value, at)),
    ...written.services.flatMap(({ value, at }) => servicePages(value, at, sites)),
  ];
}

/** The sites with their pages, as the gateway serves them. */
export function sitesOf(written: WrittenCatalogue): Site[] {
  const pages = pagesOf(written).map(({ page }) => page);
  return written.sites.map(({ value }) => {
    const host = new URL(value.origin).hostname;
    return {
      host,
      origin: value.origin,
      pages: pages.filter(page => page.host === host),
      bookmarks: new Map(Object.entries(value.bookmarks)),
    };
  });
}

/** The page that answers for a path: an exact page first, then the longest prefix. */
export function pageFor(pages: readonly Page[], host: string, path: string): Page | null {
  const here = pages.filter(page => page.host === host);
  const exact = here.find(page => page.match === 'exact' && pathKey(page.path) === pathKey(path));
  const prefixes = here.filter(page => page.match === 'prefix' && covers(page.path, path));
  return exact ?? prefixes.sort((a, b) => pathKey(b.path).length - pathKey(a.path).length)[0] ?? null;
}

function sitePages(site: WrittenSite, at: Place): PlacedPage[] {
  const host = new URL(site.origin).hostname;
  const common = {
    service: null,
    host,
    match: 'prefix',
    upstream: site.upstream,
    target: null,
    oddPaths: false,
    headers: usualNames,
  } as const;
  const shared = site.shared.map((path, index) => ({
    page: pageWithId({ ...common, kind: 'shared', path }),
    at: [...at, 'shared', index],
  }));
  if (site.rest !== 'open') return shared;
  const rest = pageWithId({ ...common, kind: 'open', path: '/' });
  return [...shared, { page: rest, at: [...at, 'rest'] }];
}

function servicePages(service: WrittenService, at: Place, sites: ReadonlyMap<string, WrittenSite>): PlacedPage[] {
  const place = (kind: 'protected' | 'open', list: 'pages' | 'openPages') =>
    service[list].flatMap((page, index) => {
      const made = pageAt(page, kind, kind === 'protected' ? service.id : null, sites);
      return made ? [{ page: made, at: [...at, list, index, 'address'] }] : [];
    });
  const logins = service.legacyLogins.flatMap((login, index) => {
    if (login.target === undefined || sameAddress(login.address, login.target)) return [];
    const made = pageAt({ address: login.address, match: 'exact', oddPaths: false }, 'protected', service.id, sites);
    return made ? [{ page: { ...made, target: login.target }, at: [...at, 'legacyLogins', index, 'address'] }] : [];
  });
  return [...place('protected', 'pages'), ...place('open', 'openPages'), ...logins];
}

function pageAt(
  written: WrittenPage,
  kind: 'protected' | 'open',
  service: string | null,
  sites: ReadonlyMap<string, WrittenSite>,
): Page | null {
  const address = readAddress(written.address);
  if (typeof address === 'string') return null;
  const site = sites.get(address.host);
  if (!site) return null;
  const { match, oddPaths } = written;
  return pageWithId({
    kind,
    service,
    host: address.host,
    path: address.path,
    match,
    upstream: written.upstream ?? site.upstream,
    target: null,
    oddPaths,
    headers: written.headers ? namesWith(written.headers) : usualNames,
  });
}

function pageWithId(page: Omit<Page, 'id'>): Page {
  const below = page.match === 'prefix' ? `${page.path === '/' ? '' : '/'}*` : '';
  return { id: `${page.host}${page.path}${below}`, ...page };
}

/** http or https does not matter: both meet the gateway at the same page. */
export function sameAddress(one: string, other: string): boolean {
  const [a, b] = [readAddress(one), readAddress(other)];
  return typeof a !== 'string' && typeof b !== 'string' && a.host === b.host && pathKey(a.path) === pathKey(b.path);
}
