import type { FastifyInstance } from 'fastify';
import { type Catalogue, closureAt } from '#config/catalogue.ts';
import { createPolicies } from '#policies/policies.ts';
import { factsOf } from '#store/facts.ts';
import { createViews } from '#views/render.ts';
import { createAnswers } from './answers.ts';
import { addCookies } from './cookies.ts';
import { createFormTokens } from './csrf.ts';
import type { AppDeps, Lasting } from './deps.ts';
import { createUpstreams } from './forwarding/upstreams.ts';
import { createGuard, type Guard } from './guard.ts';
import { createIdentities } from './identity.ts';
import { createIdentityTokens } from './identity-token.ts';
import { type Asked, createLiveConnections } from './live.ts';
import { createReturnAddresses } from './return-address.ts';
import { serviceStates } from './service-states.ts';
import { createSessions, type Sessions } from './sessions.ts';
import type { Sites } from './sites.ts';

export type Parts = Awaited<ReturnType<typeof createParts>>;

/** What the steps of a request work with, each made once. Every step names in a type of its own what it takes of this. */
export async function createParts(app: FastifyInstance, sites: Sites, deps: AppDeps & Lasting) {
  const { settings, catalogue, store, feed, keys, directory, hashing, now } = deps;
  const secure = catalogue.portal.origin.startsWith('https:');
  const views = createViews({ brand: catalogue.brand, portalOrigin: catalogue.portal.origin, demoOutbox: deps.demoOutbox ?? null });
  const policies = createPolicies({
    factsOf: domain => factsOf(store.db, domain),
    service: serviceStates(catalogue),
    now,
    onFault: (fault, domain) => app.log.error({ err: fault, domain }, 'rights could not be read'),
  });
  // A day longer than any session: a form sent after its end is kept for whoever the cookie says was there.
  const cookies = await addCookies(app, keys.session, secure, (settings.absoluteHours + 24) * 3600);
  const sessions = createSessions(store, cookies, settings, now);
  const rightsAreFresh = () => feed.staleFor() <= settings.maxStalenessSeconds * 1000;
  const guard = createGuard({ catalogue, policies, rightsAreFresh });
  const identityTokens = createIdentityTokens(catalogue.portal.origin, keys.identity);
  const made = { sites, views, policies, cookies, sessions, rightsAreFresh, guard, identityTokens };
  return {
    ...deps,
    ...made,
    answers: createAnswers({ catalogue, views, store, policies, now }),
    returnAddress: createReturnAddresses(catalogue),
    formTokens: createFormTokens(keys.csrf),
    credentials: { store, directory, hashing, limits: settings.signIn, now },
    identityOf: createIdentities(identityTokens, now),
    upstreams: createUpstreams(catalogue.upstreams, settings.upstream, {
      onHealth: (upstream, well) => app.log.warn({ upstream }, well ? 'health check: well again' : 'health check: not well'),
    }),
    live: createLiveConnections(asked => stillAllowed({ catalogue, guard, sessions, now }, asked)),
  };
}

/** The questions of a live connection's first request, asked again: the session, the rights and the service as they are now. */
async function stillAllowed(
  { catalogue, guard, sessions, now }: { catalogue: Catalogue; guard: Guard; sessions: Sessions; now: () => number },
  { headers, site, page }: Asked,
): Promise<boolean> {
  if (!site || !page) return false;
  const service = catalogue.services.find(({ id }) => id === page.service);
  if (service && closureAt(service, now())) return false;
  const session = await sessions.peek(headers.cookie, site.host);
  return (await guard(site, page, session)).outcome === 'allow';
}
