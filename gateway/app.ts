import type { FastifyInstance } from 'fastify';
import type { Policies } from '#policies/policies.ts';
import type { ActivityKind, Entry } from '#store/activity.ts';
import type { AppDeps } from './deps.ts';
import type { LiveConnections } from './live.ts';
import { createParts } from './parts.ts';
import { addPortal } from './portal-scope.ts';
import { demandRules } from './route-rules.ts';
import { addFirstChecks, createServer } from './server.ts';
import type { Sessions } from './sessions.ts';
import { addSites } from './site-scope.ts';
import { buildSites } from './sites.ts';
import { acceptHandshakes } from './upgrade.ts';

/** Builds all that a request can meet, in the order in which it meets it. It does not listen. */
export async function buildApp(deps: AppDeps): Promise<FastifyInstance> {
  const sites = buildSites(deps.catalogue);
  const app = createServer({ ...deps, sites });
  demandRules(app);
  const parts = await createParts(app, sites, deps);

  // Whatever it is for: it is one request with one meaning, for a host we answer for, and came by https.
  addFirstChecks(app, parts);
  // For the portal's own host: who asks, whether a form is really theirs, and then sign-in, services or administration.
  await addPortal(app, parts);
  // For every other known host: which page it is, who asks, whether they may, and then the legacy server.
  await addSites(app, parts);
  acceptHandshakes(app);

  deps.feed.onEntry(entry => applyChange(entry, parts));
  app.addHook('preClose', async () => parts.live.close());
  app.addHook('onClose', () => parts.upstreams.close());
  return app;
}

type Doubtful = { policies: Policies; sessions: Sessions; live: LiveConnections };

/** What each change makes doubtful; the next request reads it anew. */
function applyChange(entry: Entry, { policies, sessions, live }: Doubtful): void {
  if (!leavesRights.has(entry.kind)) dropRights(entry, policies);
  sessions.forget(entry);
  live.reviewSoon();
}

/** What happens all day, and what an import does 120,000 times before anybody has a right; everything else drops rights. */
const leavesRights: ReadonlySet<ActivityKind> = new Set<ActivityKind>([
  'session-started',
  'session-ended',
  'session-organisation-changed',
  'person-imported',
  'person-changed',
  'password-set',
  'link-made',
  'security-phone-set',
  'security-phone-deleted',
]);

/** A change in an organisation concerns nothing outside it; one that names none concerns the person, wherever they belong. */
function dropRights({ kind, organisation, person }: Entry, policies: Policies): void {
  if (kind === 'council-role-given' || kind === 'council-role-taken') policies.changed('o:council');
  if (organisation !== null) policies.changed(`o:${organisation}`);
  else if (person !== null) policies.personChanged(person);
}
