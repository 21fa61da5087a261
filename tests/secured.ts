import type { Catalogue } from '#config/catalogue.ts';

/** The same catalogue at https addresses, as behind a proxy that ends TLS. */
export function secured(catalogue: Catalogue, port: number): Catalogue {
  const move = <T>(value: T): T =>
    JSON.parse(
      JSON.stringify(value).replaceAll(new RegExp(`http://([a-z0-9]+)\\.hants\\.localhost:${port}`, 'g'), 'https://$1.hants.localhost'),
    );
  const sites = catalogue.sites.map(site => ({ ...move({ ...site, bookmarks: [] }), bookmarks: site.bookmarks }));
  return { ...move({ ...catalogue, sites: [] }), sites, upstreams: catalogue.upstreams };
}
