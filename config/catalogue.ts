import { startOf } from './calendar.ts';
import type { HeaderNames } from './catalogue-headers.ts';

export type PageKind = 'protected' | 'open' | 'shared';

export type Page = {
  /** Host and path, with /* for a prefix: www3.hants.gov.uk/efs/*. */
  id: string;
  kind: PageKind;
  /** Set for protected pages only: an exclusion belongs to no service, shared files and a site's open rest neither. */
  service: string | null;
  host: string;
  /** Canonical, as written in the file; a prefix has no final slash (except "/") and covers itself and all below it, by whole segments. */
  path: string;
  match: 'exact' | 'prefix';
  /** Origin of the legacy server, e.g. http://127.0.0.1:9001. */
  upstream: string;
  /** A legacy login: the absolute address it used to lead to. Null when the page is served itself. */
  target: string | null;
  oddPaths: boolean;
  /** Under which names it is told who is there. */
  headers: HeaderNames;
};

export type Site = {
  /** Lower case, without port. */
  host: string;
  /** scheme://name[:port] as people see it. */
  origin: string;
  pages: readonly Page[];
  /** Path on this site → path on the portal. */
  bookmarks: ReadonlyMap<string, string>;
};

/** How a legacy server is reached, where its origin alone does not say it. Null: as the settings say, or as usual. */
export type UpstreamRules = {
  /** PEM texts: the authority that its certificate must come from; what the gateway shows of itself. */
  ca: string | null;
  certificate: string | null;
  key: string | null;
  /** The name its certificate must carry. */
  serverName: string | null;
  /** Which host it is told: the site's, as people see it, or its own. */
  host: 'site' | 'upstream';
  connectSeconds: number | null;
  headersSeconds: number | null;
  bodySeconds: number | null;
  connections: number | null;
  health: HealthRules | null;
};

/** How a legacy server is asked whether it is well, besides what requests find out. */
export type HealthRules = {
  path: string;
  /** What it must answer; null: anything below 500. */
  status: number | null;
  everySeconds: number;
  /** Origin of the site, of those it serves, that it is asked for. */
  site: string;
};

export type Service = {
  id: string;
  shortName: string;
  fullName: string;
  alsoKnownAs: string[];
  description: string;
  contact: { name: string; email: string; phone: string | null };
  whoMayGrant: 'organisation-administrators' | 'council';
  /** ISO dates, such as 2019-03-04: the instant they begin. */
  opensOn: string | null;
  oldPageEndsOn: string | null;
  /** Absolute address the tile leads to. */
  start: string;
  /** Old addresses as people have them, and the absolute address each leads to, which may be the page itself. */
  legacyLogins: { row: string; address: string; target: string }[];
  archived: boolean;
  /** Closed for a while, in the council's words; open again by itself at `until`, an instant. */
  maintenance: { words: string; until: number | null } | null;
};

export type Brand = {
  council: string;
  productName: string;
  crumbs: { text: string; href: string }[];
  /** What people call their account here, as in "your Hantsweb account". */
  accountName: string;
  accountsEmail: string;
  address: string;
  /** Absolute address of the council's main site. */
  website: string;
  links: { privacy: string; disclaimer: string; accessibility: string; contact: string };
  helpLinks: { eamw: string; eamwGuide: string };
};

export type Catalogue = {
  portal: { host: string; origin: string };
  sites: readonly Site[];
  /** By origin; most upstreams need none. */
  upstreams: ReadonlyMap<string, UpstreamRules>;
  services: readonly Service[];
  brand: Brand;
};

/** The instant a service opens: the beginning of its day. Null when it has none. */
export function opensAt({ opensOn }: Service): number | null {
  return opensOn === null ? null : startOf(opensOn);
}

/** The first instant at which the service may be used: long ago without an opening date, never once it is archived. */
export function liveFrom(service: Service): number {
  return service.archived ? Number.POSITIVE_INFINITY : (opensAt(service) ?? Number.NEGATIVE_INFINITY);
}

/** Whether the service may be used at `now`, by whoever has the right. */
export const serviceIsLive = (service: Service, now: number): boolean => liveFrom(service) <= now;

/** Why nobody can use the service at `now`, whatever their right; null if they can. */
export function closureAt({ maintenance }: Service, now: number): Service['maintenance'] {
  return maintenance && (maintenance.until === null || now < maintenance.until) ? maintenance : null;
}

/** The address people have as a bookmark, on the council's main site, if there is one; otherwise the portal's own. */
export function signInAddressOf({ portal, sites }: Catalogue): string {
  for (const site of sites) {
    for (const [path, target] of site.bookmarks) if (target === '/sign-in') return site.origin + path;
  }
  return `${portal.origin}/sign-in`;
}
