import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Catalogue } from '#config/catalogue.ts';
import type { Settings } from '#config/settings.ts';
import { createPolicies, type Policies } from '#policies/policies.ts';
import type { Entry } from '#store/activity.ts';
import type { Store } from '#store/database.ts';
import type { Feed } from '#store/feed.ts';
import { factsOf } from '#store/rules.ts';
import { createViews } from '#views/render.ts';
import { administrationDeps } from './administration.ts';
import { createAnswers } from './answers.ts';
import { addCookies } from './cookies.ts';
import { createFormTokens } from './csrf.ts';
import { createGuard, type Guard } from './guard.ts';
import { createIdentities } from './identity.ts';
import { createIdentityTokens } from './identity-token.ts';
import type { Keys } from './keys.ts';
import { createLiveConnections } from './live.ts';
import { addPortal } from './portal-scope.ts';
import { createReturnAddresses } from './return-address.ts';
import { demandRules } from './rules.ts';
import { addFirstChecks, createServer } from './server.ts';
import { serviceStates } from './service-states.ts';
import { createSessions, type Sessions } from './sessions.ts';
import type { Directory } from './sign-in/credentials.ts';
import { createHashing } from './sign-in/hashing.ts';
import { addSites } from './site-scope.ts';
import { buildSites } from './sites.ts';
import { acceptHandshakes } from './upgrade.ts';
import { createUpstreams } from './upstreams.ts';

/** What the gateway stands on; `main.ts` opens it, tests bring their own. */
export type AppDeps = {
  settings: Settings;
  catalogue: Catalogue;
  store: Store;
  feed: Feed;
  keys: Keys;
  directory: Directory | null;
  /** Tells the outbox worker that a message waits. */
  deliverSoon(): void;
  now: () => number;
  log?: NodeJS.WritableStream;
  /** Pages that only this kind of installation has, such as the demo's outbox. */
  addToPortal?: (portal: FastifyInstance) => void;
};

/** Builds everything a request can meet; it does not listen. */
export async function buildApp(deps: AppDeps): Promise<FastifyInstance> {
  const { settings, catalogue, store, feed, keys, now } = deps;
  const sites = buildSites(catalogue);
  const refuse = (request: FastifyRequest, reply: FastifyReply) => void answers.problem(request, reply, 'bad-request');
  const app = createServer({ settings, sites, refuse, ...(deps.log ? { log: deps.log } : {}) });
  demandRules(app);

  const views = createViews({ brand: catalogue.brand, portalOrigin: catalogue.portal.origin });
  const policies = createPolicies({
    factsOf: domain => factsOf(store.db, domain),
    service: serviceStates(catalogue),
    now,
    onFault: (fault, domain) => app.log.error({ err: fault, domain }, 'rights could not be read'),
  });
  const secure = catalogue.portal.origin.startsWith('https:');
  const cookies = await addCookies(app, keys.session, secure, settings.absoluteHours * 3600);
  const sessions = createSessions(store, cookies, settings, now);
  const rightsAreFresh = () => feed.staleFor() <= settings.maxStalenessSeconds * 1000;
  const guard = createGuard({ catalogue, policies, rightsAreFresh });
  const live = createLiveConnections(request => stillAllowed(guard, sessions, request));
  const answers = createAnswers({ catalogue, views, store, policies, now });
  const shared = {
    ...deps,
    sites,
    views,
    policies,
    cookies,
    sessions,
    guard,
    rightsAreFresh,
    live,
    answers,
    returnAddress: createReturnAddresses(catalogue),
  };

  const identityTokens = createIdentityTokens(catalogue.portal.origin, keys.identity);
  const hashing = createHashing();
  const credentials = { store, directory: deps.directory, hashing, limits: settings.signIn, now };

  addFirstChecks(app, shared);
  await addPortal(app, {
    ...shared,
    formTokens: createFormTokens(keys.csrf),
    hashing,
    credentials,
    identityTokens,
    administration: administrationDeps(shared),
  });
  const upstreams = createUpstreams(settings.upstream);
  const identityOf = createIdentities(identityTokens, now);
  await addSites(app, { ...shared, upstreams, engine: settings.engine, identityOf, ownCookies: cookies.names });
  acceptHandshakes(app);

  feed.onEntry(entry => applyChange(entry, policies, sessions, live.review));
  app.addHook('onClose', async () => {
    live.close();
    await upstreams.close();
  });
  return app;
}

/** What each change makes doubtful; the next request reads it anew. */
function applyChange(entry: Entry, policies: Policies, sessions: Sessions, review: () => void): void {
  if (entry.organisation !== null) policies.changed(`o:${entry.organisation}`);
  if (entry.kind === 'council-role-given' || entry.kind === 'council-role-taken') policies.changed('o:council');
  if (entry.person !== null) policies.personChanged(entry.person);
  sessions.forget(entry);
  review();
}

/** The question of a live connection's first request, asked again: the session as it is now, the rights as they are now. */
async function stillAllowed(
  guard: Guard,
  sessions: Sessions,
  request: Parameters<Parameters<typeof createLiveConnections>[0]>[0],
): Promise<boolean> {
  if (!request.site || !request.page) return false;
  const session = await sessions.peek(request.headers.cookie, request.site.host);
  return (await guard(request.site, request.page, session)).outcome === 'allow';
}
