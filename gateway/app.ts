import type { FastifyInstance } from 'fastify';
import type { Policies } from '#policies/policies.ts';
import type { Entry } from '#store/activity.ts';
import type { AppDeps, Lasting } from './deps.ts';
import type { LiveConnections } from './live.ts';
import { createParts, type Parts } from './parts.ts';
import { addPortal } from './portal-scope.ts';
import { demandRules } from './route-rules.ts';
import { addFirstChecks, createServer } from './server.ts';
import type { Sessions } from './sessions.ts';
import { addSites } from './site-scope.ts';
import { buildSites } from './sites.ts';
import { acceptHandshakes } from './upgrade.ts';

/** What serves one catalogue: the app that answers, and what it works with. */
export type Built = { app: FastifyInstance; parts: Parts };

/** Builds all that a request can meet, in the order in which it meets it. It does not listen. */
export async function buildApp(deps: AppDeps & Lasting): Promise<Built> {
  const sites = buildSites(deps.catalogue);
  const app = createServer({ ...deps, sites });
  demandRules(app);
  const parts = await createParts(app, sites, deps);

  app.addHook('onResponse', (request, reply, next) => {
    deps.counts.answered(request.site?.host ?? '', request.page, reply.raw.statusCode);
    deps.accessLog?.note(request, reply);
    next();
  });
  // Whatever it is for: it is one request with one meaning, for a host we answer for, and came by https.
  addFirstChecks(app, parts);
  // For the portal's own host: who asks, whether a form is really theirs, and then sign-in, services or administration.
  await addPortal(app, parts);
  // For every other known host: which page it is, who asks, whether they may, and then the legacy server.
  await addSites(app, parts);
  acceptHandshakes(app);

  const stopHearing = deps.feed.onEntry(entry => applyChange(entry, parts));
  app.addHook('preClose', async () => parts.live.close());
  app.addHook('onClose', async () => {
    stopHearing();
    await parts.upstreams.close();
  });
  try {
    await app.ready();
  } catch (error) {
    await app.close();
    throw error;
  }
  return { app, parts };
}

/** What each change makes doubtful; the next request reads it anew. */
function applyChange(entry: Entry, { policies, sessions, live }: { policies: Policies; sessions: Sessions; live: LiveConnections }): void {
  if (entry.organisation !== null) policies.changed(`o:${entry.organisation}`);
  if (entry.kind === 'council-role-given' || entry.kind === 'council-role-taken') policies.changed('o:council');
  if (entry.person !== null) policies.personChanged(entry.person);
  sessions.forget(entry);
  live.review();
}
