import { once } from 'node:events';
import type { Server } from 'node:http';
import type { FastifyBaseLogger } from 'fastify';
import type { Catalogue } from '#config/catalogue.ts';
import { type Built, buildApp } from './app.ts';
import { createConnections } from './connections.ts';
import { createCounts } from './counts.ts';
import type { AppDeps, Lasting } from './deps.ts';
import type { Asked } from './live.ts';
import type { Parts } from './parts.ts';
import { createHashing } from './sign-in/hashing.ts';
import { pageAt } from './sites.ts';

/**
 * The server that listens for as long as the process lives. What it serves, an app built for one catalogue, may change between two
 * requests: each is handed to the app that is the present one when it comes, and stays with it to its end.
 */
export type Serving = Lasting & {
  log: FastifyBaseLogger;
  listen(where: { port: number; host: string }): Promise<void>;
  /** Serves another catalogue from the next request on. Rejects, and changes nothing, if it cannot be served. */
  serve(catalogue: Catalogue): Promise<void>;
  /** The server that listens. */
  server: Server;
  /** What serves now. */
  present(): Built;
  /** Takes no new connections, gives the answers under way their time, and ends. */
  close(): Promise<void>;
};

const LOOK_EVERY_MS = 100;
// Node takes one new connection at a time, between everything else. With its own 511 places to wait, a crowd makes others try again, and
// their system does so after one second, three, seven. The system's own limit (net.core.somaxconn) holds as well.
const WAITING_CONNECTIONS = 4_096;

export async function startServing(deps: AppDeps, hashing = createHashing()): Promise<Serving> {
  const lasting: Lasting = { counts: createCounts(), hashing };
  const build = (catalogue: Catalogue) => buildApp({ ...deps, ...lasting, catalogue });
  let present = await build(deps.catalogue);
  const past = new Set<Built>();
  let draining = false;

  const server = createConnections((request, response) => {
    if (draining) response.shouldKeepAlive = false;
    present.app.routing(request, response);
  });
  server.on('upgrade', (...told) => present.app.server.emit('upgrade', ...told));

  async function retire(old: Built): Promise<void> {
    past.add(old);
    const waitWhile = async (busy: () => boolean) => {
      do await new Promise(resolve => setTimeout(resolve, LOOK_EVERY_MS).unref());
      while (past.has(old) && busy());
    };
    await waitWhile(() => old.unanswered() > 0);
    // What goes on now may do so for days, and needs its connection to the legacy server and nothing else.
    old.endJudging();
    await waitWhile(() => isForwarding(old.parts));
    if (past.delete(old)) await old.app.close();
  }

  return {
    ...lasting,
    log: present.app.log,
    async listen({ port, host }) {
      server.listen({ port, host, backlog: WAITING_CONNECTIONS });
      await once(server, 'listening');
    },
    async serve(catalogue) {
      const next = await build(catalogue);
      const old = present;
      present = next;
      old.parts.live.moveTo(next.parts.live, asked => findAgain(next.parts, asked));
      next.parts.live.reviewSoon();
      retire(old).catch(error => next.app.log.error({ err: error }, 'a catalogue that is gone could not be put away'));
    },
    server,
    present: () => present,
    async close() {
      draining = true;
      const all = [...past, present];
      past.clear();
      const endLive = () => {
        for (const { parts } of all) parts.live.close();
      };
      endLive();
      await drain(server, deps.settings.drainSeconds * 1000, endLive);
      await Promise.all(all.map(({ app }) => app.close()));
    },
  };
}

/** An open connection goes on under another catalogue if its address still leads to the same legacy server. */
function findAgain({ sites }: Parts, { headers, url, page }: Asked): Asked | null {
  const found = pageAt(sites, { headers, url });
  return found?.page.upstream === page?.upstream && found ? { headers, url, ...found } : null;
}

const isForwarding = ({ upstreams }: Parts): boolean =>
  upstreams.all().some(({ queue }) => queue.sizes().inside + queue.sizes().waiting > 0);

/** Resolves when every connection has ended: by itself once it is idle, or by us when the time is over. */
async function drain(server: Server, patienceMs: number, endLive: () => void): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  // Node looks for idle connections once, at the beginning.
  const look = setInterval(() => server.closeIdleConnections(), LOOK_EVERY_MS);
  const end = setTimeout(() => {
    server.closeAllConnections();
    // One may have begun meanwhile, on a connection that was open; of those Node's server keeps no list.
    endLive();
  }, patienceMs);
  await closed;
  clearInterval(look);
  clearTimeout(end);
}
