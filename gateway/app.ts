import type { FastifyInstance } from 'fastify';
import { applyChange } from './changes.ts';
import type { AppDeps, Lasting } from './deps.ts';
import { createParts, type Parts } from './parts.ts';
import { addPortal } from './portal-scope.ts';
import { demandRules } from './route-rules.ts';
import { addFirstChecks, createServer } from './server.ts';
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
