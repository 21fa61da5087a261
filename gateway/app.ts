import type { FastifyInstance } from 'fastify';
import { applyChange } from './changes.ts';
import type { AppDeps } from './deps.ts';
import { createParts } from './parts.ts';
import { addPortal } from './portal-scope.ts';
import { demandRules } from './route-rules.ts';
import { addFirstChecks, createServer } from './server.ts';
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
