import type { IncomingHttpHeaders } from 'node:http';
import type { Catalogue, Page, Service, Site } from '../catalogue.ts';
import { covers, pathKey } from '../catalogue-addresses.ts';
import { pageFor } from '../catalogue-pages.ts';

export type Asked = {
  site: Site;
  hostname: string;
  port: string;
  path: string;
  query: string;
  headers: IncomingHttpHeaders;
  /** The main site's first page, under the names the visitor uses. */
  home: string;
  /** An address of the catalogue under the names the visitor uses. */
  local(address: string): string;
};

/** The part of the old server a path falls in. `rest` is what follows the corner's base. */
export type Corner =
  | { kind: 'service'; service: Service; page: Page; base: string; rest: string }
  | { kind: 'login'; service: Service; page: Page; base: string; rest: string; target: string }
  | { kind: 'moodle'; page: Page; base: string; rest: string };

export type ServiceCorner = Extract<Corner, { kind: 'service' }>;

/** Finds the corner by the catalogue alone, so that a service added there has its old pages here as well. */
export function cornerOf(catalogue: Catalogue, asked: Asked): Corner | null {
  const page = pageFor(asked.site.pages, asked.site.host, asked.path);
  if (!page || page.path === '/') return null;
  // Old servers do not care about capitals.
  const rest = asked.path.slice(page.path.length).toLowerCase();
  if (page.kind === 'open') return { kind: 'moodle', page, base: page.path, rest };
  const service = catalogue.services.find(known => known.id === page.service);
  if (!service) return null;
  if (page.target !== null) return { kind: 'login', service, page, base: page.path, rest, target: page.target };
  return { kind: 'service', service, page, base: baseOf(asked.site, page), rest: page.match === 'exact' ? '' : rest };
}

/** A single page such as hias.htm has its further pages below the nearest folder of the same service. */
function baseOf(site: Site, page: Page): string {
  if (page.match === 'prefix') return page.path;
  const folders = site.pages.filter(other => other.service === page.service && other.match === 'prefix');
  const name = pathKey(page.path).replace(/\.[a-z]+$/, '');
  return (folders.find(folder => covers(name, folder.path)) ?? folders[0])?.path ?? page.path;
}
