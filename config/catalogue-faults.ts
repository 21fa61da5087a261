import { covers, pathKey, readAddress, reservedPrefix } from './catalogue-addresses.ts';
import { type PlacedPage, pageFor, pagesOf } from './catalogue-pages.ts';
import type { Fault, Place, WrittenCatalogue, WrittenService } from './catalogue-shape.ts';

/** Faults that show only when the parts of the file are held against each other. */
export function catalogueFaults(written: WrittenCatalogue): Fault[] {
  const pages = pagesOf(written);
  return [
    ...hostFaults(written),
    ...idFaults(written),
    ...undeclaredHosts(written),
    ...upstreamFaults(written),
    ...pages.flatMap(pageFaults),
    ...overlaps(pages),
    ...bookmarkFaults(written, pages),
    ...written.services.flatMap(({ value, at }) => dateFaults(value, at)),
    ...written.services.flatMap(({ value, at }) => leadFaults(value, at, firstsOf(pages), written)),
  ];
}

function hostFaults(written: WrittenCatalogue): Fault[] {
  const seen = new Map<string, string>();
  if (written.portal) seen.set(new URL(written.portal).hostname, 'the portal');
  return written.sites.flatMap(({ value, at }) => {
    const host = new URL(value.origin).hostname;
    const owner = seen.get(host);
    seen.set(host, owner ?? 'another site');
    return owner
      ? [{ at: [...at, 'origin'], message: `${host}: is already the host of ${owner}; every site and the portal need a host of their own` }]
      : [];
  });
}

function idFaults(written: WrittenCatalogue): Fault[] {
  const seen = new Set<string>();
  return written.services.flatMap(({ value, at }) => {
    const taken = seen.has(value.id);
    seen.add(value.id);
    return taken ? [{ at: [...at, 'id'], message: `${value.id}: is already the id of another service; choose another` }] : [];
  });
}

/** Every address of a service, with its place. */
function addressesOf(service: WrittenService, at: Place): { address: string; at: Place; printed: boolean }[] {
  return [
    { address: service.start, at: [...at, 'start'], printed: false },
    ...service.pages.map((page, i) => ({ address: page.address, at: [...at, 'pages', i, 'address'], printed: false })),
    ...service.openPages.map((page, i) => ({ address: page.address, at: [...at, 'openPages', i, 'address'], printed: false })),
    ...service.legacyLogins.flatMap((login, i) => [
      { address: login.address, at: [...at, 'legacyLogins', i, 'address'], printed: true },
      ...(login.target === undefined ? [] : [{ address: login.target, at: [...at, 'legacyLogins', i, 'target'], printed: false }]),
    ]),
  ];
}

function undeclaredHosts(written: WrittenCatalogue): Fault[] {
  if (!written.allSitesRead) return [];
  const origins = new Map(written.sites.map(({ value }) => [new URL(value.origin).hostname, value.origin]));
  return written.services.flatMap(({ value, at: place }) =>
    addressesOf(value, place).flatMap(({ address, at, printed }) => {
      const read = readAddress(address);
      if (typeof read === 'string') return [];
      const origin = origins.get(read.host);
      if (origin === undefined)
        return [{ at, message: `${address}: ${read.host} is not a declared site; add it under sites or correct the address` }];
      // Old addresses stay as people have them, http or https; what is served today has one origin.
      if (!printed && origin !== read.origin)
        return [{ at, message: `${address}: write it at the site's own origin, ${origin}${read.path}` }];
      return [];
    }),
  );
}

function pageFaults({ page, at }: PlacedPage): Fault[] {
  const faults: Fault[] = [];
  if (covers(reservedPrefix, page.path))
    faults.push({ at, message: `${page.path}: ${reservedPrefix} belongs to the gateway; no page can be there` });
  if (page.match === 'prefix' && page.path !== '/' && page.path.endsWith('/')) {
    faults.push({
      at,
      message: `${page.path}: write a prefix without the final slash; it covers ${page.path.slice(0, -1)} and everything below it`,
    });
  }
  return faults;
}

const addressKey = ({ page }: PlacedPage) => `${page.host}${pathKey(page.path)}`;

/** Pages without those that repeat an address, which are faults already and would only cause more. */
function firstsOf(pages: readonly PlacedPage[]): PlacedPage[] {
  const keys = pages.map(addressKey);
  return pages.filter((placed, index) => keys.indexOf(addressKey(placed)) === index);
}

function overlaps(pages: readonly PlacedPage[]): Fault[] {
  const seen = new Map<string, PlacedPage>();
  return pages.flatMap(placed => {
    const key = addressKey(placed);
    const first = seen.get(key);
    if (!first) {
      seen.set(key, placed);
      return [];
    }
    const address = `${placed.page.host}${placed.page.path}`;
    if (first.page.path !== placed.page.path && first.page.path.toLowerCase() === placed.page.path.toLowerCase()) {
      return [
        {
          at: placed.at,
          message: `${address}: differs from ${first.page.path} only in capitals, which old servers ignore; keep one of them`,
        },
      ];
    }
    const owner = first.page.service ?? `a page that is ${first.page.kind}`;
    return [{ at: placed.at, message: `${address}: overlaps an address of ${owner}; the same address can be listed once only` }];
  });
}

function bookmarkFaults(written: WrittenCatalogue, pages: readonly PlacedPage[]): Fault[] {
  return written.sites.flatMap(({ value, at: place }) =>
    Object.keys(value.bookmarks).flatMap(path => {
      const at = [...place, 'bookmarks', path];
      if (covers(reservedPrefix, path))
        return [{ at, message: `${path}: ${reservedPrefix} belongs to the gateway; no bookmark can be there` }];
      const host = new URL(value.origin).hostname;
      const same = pages.some(({ page }) => page.host === host && page.path !== '/' && pathKey(page.path) === pathKey(path));
      return same ? [{ at, message: `${path}: is a page as well; an address is either a page or a bookmark` }] : [];
    }),
  );
}

function upstreamFaults(written: WrittenCatalogue): Fault[] {
  const used = new Set([
    ...written.sites.map(({ value }) => value.upstream),
    ...written.services.flatMap(({ value }) => [...value.pages, ...value.openPages].map(page => page.upstream)),
  ]);
  const seen = new Set<string>();
  return written.upstreams.flatMap(({ value, at }) => {
    const { origin, ca, certificate, key, serverName } = value;
    const faults: Fault[] = [];
    const fault = (name: string, message: string) => void faults.push({ at: [...at, name], message: `${name}: ${message}` });
    if (seen.has(origin)) fault('origin', `${origin} is described twice; keep one of them`);
    else if (!used.has(origin)) fault('origin', `${origin} is the upstream of no site and no page; correct it or remove the entry`);
    seen.add(origin);
    if ((certificate === null) !== (key === null))
      fault(key === null ? 'certificate' : 'key', 'certificate and key belong together; name both or neither');
    if (origin.startsWith('http:') && (ca ?? certificate ?? serverName) !== null)
      fault('origin', `${origin} is reached without TLS, so certificates and serverName mean nothing; write https or remove them`);
    return faults;
  });
}

function dateFaults(service: WrittenService, at: Place): Fault[] {
  const { opensOn, oldPageEndsOn } = service;
  if (opensOn === null || oldPageEndsOn === null || opensOn <= oldPageEndsOn) return [];
  return [
    {
      at: [...at, 'opensOn'],
      message: `opensOn: ${opensOn} is after oldPageEndsOn ${oldPageEndsOn}; nobody could open the service in between`,
    },
  ];
}

/** Tiles and old logins must lead to something the same grant opens, or people would be sent from a door that is theirs to one that is not. */
function leadFaults(service: WrittenService, at: Place, placed: readonly PlacedPage[], written: WrittenCatalogue): Fault[] {
  const pages = placed.map(({ page }) => page).filter(page => page.target === null);
  const hosts = new Set(written.sites.map(({ value }) => new URL(value.origin).hostname));
  const leads = [
    { lead: service.start, at: [...at, 'start'] },
    ...service.legacyLogins.map((login, i) => ({
      lead: login.target ?? login.address,
      at: [...at, 'legacyLogins', i, login.target === undefined ? 'address' : 'target'],
    })),
  ];
  return leads.flatMap(({ lead, at: place }) => {
    const address = readAddress(lead);
    if (typeof address === 'string' || !hosts.has(address.host)) return [];
    const page = pageFor(pages, address.host, address.path);
    if (page?.kind === 'protected' && page.service === service.id) return [];
    return [{ at: place, message: `${lead}: no page of ${service.id} covers it; add the page, or a target that one covers` }];
  });
}
