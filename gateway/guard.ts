import type { Catalogue, Page, Site } from '#config/catalogue.ts';
import type { Decision } from '#policies/decision.ts';
import type { Policies } from '#policies/policies.ts';

/** What the judge needs to know of the world; declared here so that a test can ask it anything. */
export type GuardDeps = { catalogue: Catalogue; policies: Policies; rightsAreFresh: () => boolean };

/** Whoever asks: a session of the gateway's, or the person that the command line asks about. */
export type Asker = { person: { id: number }; organisation: { id: number } | null };

export type Guard = (site: Site, page: Page, asker: Asker | null) => Decision | Promise<Decision>;

const OPEN: Decision = { outcome: 'allow', reason: 'open-page', rule: null };
const SIGN_IN: Decision = { outcome: 'sign-in', reason: 'not-signed-in', rule: null };
const NO_ORGANISATION: Decision = { outcome: 'deny', reason: 'not-a-member', rule: null };
const NO_GRANT: Decision = { outcome: 'deny', reason: 'no-grant', rule: null };
const NOT_KNOWN: Decision = { outcome: 'deny', reason: 'rights-not-known', rule: null };

/** Judges one request for a page of a site. Every path of it that is not an explicit yes is a no. */
export function createGuard({ catalogue, policies, rightsAreFresh }: GuardDeps): Guard {
  const servicesOn = new Map(catalogue.sites.map(site => [site.host, servicesOf(site)]));

  return (site, page, session) => {
    if (page.kind === 'open') return OPEN;
    if (!session) return SIGN_IN;
    if (!rightsAreFresh()) return NOT_KNOWN;
    if (!session.organisation) return NO_ORGANISATION;
    const person = session.person.id;
    const organisation = session.organisation.id;
    if (page.kind === 'shared') return policies.anyServiceOn({ person, organisation, services: servicesOn.get(site.host) ?? [] });
    return page.service === null ? NO_GRANT : policies.decide({ person, organisation, service: page.service, action: 'use' });
  };
}

const servicesOf = (site: Site): string[] => [
  ...new Set(site.pages.flatMap(page => (page.kind === 'protected' && page.service ? [page.service] : []))),
];
