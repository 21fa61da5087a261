import { fileURLToPath } from 'node:url';
import type { Brand, Catalogue, Page, Service, Site } from '../catalogue.ts';
import { readCatalogue } from '../catalogue-file.ts';

const servicesFile = fileURLToPath(new URL('../services.yaml', import.meta.url));

/** The catalogue of the real hosts, as it stands in services.yaml. */
export function councilCatalogue(): Catalogue {
  return readCatalogue(servicesFile);
}

/** www3.hants.gov.uk → www3.hants.localhost: browsers send every *.localhost to their own machine. */
export function demoHost(host: string): string {
  return host.replace(/\.gov\.uk$/, '.localhost');
}

/**
 * The services of services.yaml on the demo's hosts over plain http, with the portal's port.
 * `upstreamOf` gives the origin of the legacy server behind a demo host.
 */
export function demoCatalogue(port: number, upstreamOf: (host: string) => string): Catalogue {
  const council = councilCatalogue();
  const origins = new Map(
    [council.portal, ...council.sites].map(({ host }) => [host, `http://${demoHost(host)}${port === 80 ? '' : `:${port}`}`]),
  );
  const move = (address: string) => moved(address, origins);
  return {
    portal: { host: demoHost(council.portal.host), origin: move(council.portal.origin) },
    sites: council.sites.map(site => demoSite(site, move, upstreamOf)),
    upstreams: new Map(),
    services: council.services.map(service => demoService(service, move)),
    brand: demoBrand(council.brand, move),
  };
}

/** Addresses of the catalogue's own hosts move; others, such as the council's help pages, stay. */
function moved(address: string, origins: ReadonlyMap<string, string>): string {
  const origin = URL.canParse(address) ? origins.get(new URL(address).hostname) : undefined;
  return origin === undefined ? address : address.replace(/^https?:\/\/[^/]+/, origin);
}

function demoSite(site: Site, move: (address: string) => string, upstreamOf: (host: string) => string): Site {
  const host = demoHost(site.host);
  const upstream = upstreamOf(host);
  const demoPage = (page: Page): Page => ({
    ...page,
    id: page.id.replace(site.host, host),
    host,
    upstream,
    target: page.target && move(page.target),
  });
  return { ...site, host, origin: move(site.origin), pages: site.pages.map(demoPage) };
}

function demoService(service: Service, move: (address: string) => string): Service {
  const logins = service.legacyLogins.map(({ row, address, target }) => ({ row, address: move(address), target: move(target) }));
  return { ...service, start: move(service.start), legacyLogins: logins };
}

function demoBrand(brand: Brand, move: (address: string) => string): Brand {
  const { privacy, disclaimer, accessibility, contact } = brand.links;
  return {
    ...brand,
    website: move(brand.website),
    crumbs: brand.crumbs.map(crumb => ({ ...crumb, href: move(crumb.href) })),
    links: { privacy: move(privacy), disclaimer: move(disclaimer), accessibility: move(accessibility), contact: move(contact) },
  };
}
