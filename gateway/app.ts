import type { FastifyInstance, FastifyReply } from 'fastify';
import { applyChange } from './changes.ts';
import type { AppDeps, Lasting } from './deps.ts';
import { acceptHandshakes } from './forwarding/upgrade.ts';
import { createParts, type Parts } from './parts.ts';
import { addPortal } from './portal-scope.ts';
import { demandRules } from './route-rules.ts';
import { addFirstChecks, createServer } from './server.ts';
import { addSites } from './site-scope.ts';
import { buildSites } from './sites.ts';

/** What serves one catalogue: the app that answers, and what it works with. */
export type Built = {
  app: FastifyInstance;
  parts: Parts;
  /** How many of its requests have no answer yet. */
  unanswered(): number;
  /** Ends what only judging needs: answers that have begun go on without it. */
  endJudging(): void;
};

/** Builds all that a request can meet, in the order in which it meets it. It does not listen. */
export async function buildApp(deps: AppDeps & Lasting): Promise<Built> {
  const sites = buildSites(deps.catalogue);
  const app = createServer({ ...deps, sites });
  demandRules(app);
  const parts = await createParts(app, sites, deps);

  let stopHearing = () => {};
  function endJudging(): void {
    stopHearing();
    parts.upstreams.endChecks();
    parts.policies.changed('all');
    parts.sessions.forgetAll();
  }
  app.addHook('onClose', async () => {
    endJudging();
    parts.live.close();
    await parts.upstreams.close();
  });
  try {
    const unanswered = followRequests(app, deps);
    await addSteps(app, parts);
    stopHearing = deps.feed.onEntry(entry => applyChange(entry, parts));
    await app.ready();
    return { app, parts, unanswered, endJudging };
  } catch (error) {
    await app.close();
    throw error;
  }
}

/** What a request meets. */
async function addSteps(app: FastifyInstance, parts: Parts): Promise<void> {
  // Whatever it is for: it is one request with one meaning, for a host we answer for, and came by https.
  addFirstChecks(app, parts);
  // For the portal's own host: who asks, whether a form is really theirs, and then sign-in, services or administration.
  await addPortal(app, parts);
  // For every other known host: which page it is, who asks, whether they may, and then the legacy server.
  await addSites(app, parts);
  acceptHandshakes(app);
}

/** Notes each request once, when it is over; returns how many have no answer yet. */
function followRequests(app: FastifyInstance, { counts, accessLog }: Pick<AppDeps & Lasting, 'counts' | 'accessLog'>): () => number {
  // Places that are used again, not a set: what every request enters and leaves must not be made anew all the time (see queue.ts).
  const underWay: (FastifyReply | null)[] = [];
  const free: number[] = [];
  app.addHook('onRequest', (request, reply, next) => {
    const place = free.pop() ?? underWay.length;
    underWay[place] = reply;
    // Fastify's `onResponse` is told of whole answers only: of no WebSocket, and of nothing that was broken off.
    reply.raw.on('close', () => {
      // Whoever gives up its connection says so too.
      if (underWay[place] !== reply) return;
      underWay[place] = null;
      free.push(place);
      const status = reply.raw.headersSent ? reply.raw.statusCode : 0;
      counts.answered(request.site?.host ?? '', request.page, status);
      accessLog?.note(request, reply, status);
    });
    next();
  });
  return () => underWay.filter(reply => reply !== null && !reply.raw.headersSent).length;
}
