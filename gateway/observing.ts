import { sql } from 'kysely';
import type { Settings } from '#config/settings.ts';
import type { Store } from '#store/database.ts';
import { outboxState } from '#store/outbox-queue.ts';
import type { AccessLog } from './access-log.ts';
import type { Installation } from './installation.ts';
import { createOperations, type Health, type Operations } from './operations.ts';
import type { Reloading } from './reload.ts';
import type { Serving } from './serving.ts';

type Observed = {
  settings: Pick<Settings, 'operations' | 'maxStalenessSeconds' | 'redisUrl'>;
  installation: Pick<Installation, 'store' | 'feed' | 'wakeUp'>;
  serving: Pick<Serving, 'counts' | 'hashing' | 'present'>;
  reloading: Pick<Reloading, 'state'>;
  accessLog: Pick<AccessLog, 'lost'> | null;
  /** Which of several workers this is, from 0: each has figures of its own, and a port of its own for them. */
  slot: number;
  now: () => number;
};

const PATIENCE_MS = 2_000;
const nobody: Operations = { listen: async () => {}, drain: async () => {}, close: async () => {} };

/** Opens the listener for whoever runs the gateway, if the settings ask for one; only then is what makes metrics loaded. */
export async function openOperations(observed: Observed): Promise<Operations> {
  const where = observed.settings.operations;
  if (where === null) return nobody;
  const { createMetrics } = await import('./metrics.ts');
  const { installation, serving, reloading, settings, now } = observed;
  const { store, feed, wakeUp } = installation;
  const redisAway = settings.redisUrl === null ? null : wakeUp.away;
  const metrics = createMetrics({
    counts: serving.counts,
    feed,
    outbox: () => inTime(outboxState(store.db, now())).catch(() => null),
    upstreams: () => serving.present().parts.upstreams.all(),
    hashing: serving.hashing,
    liveConnections: () => serving.present().parts.live.size(),
    catalogue: reloading.state,
    linesLost: () => observed.accessLog?.lost() ?? 0,
    redisAway,
    now,
  });
  const operations = createOperations({
    metrics,
    parts: {
      database: { needed: true, ask: () => inTime(databaseHealth(store)) },
      feed: { needed: true, ask: () => feedHealth(feed.staleFor(), settings.maxStalenessSeconds) },
      // Nothing is lost without it, and a balancer that takes every gateway away because of it would make a failure of a delay.
      ...(redisAway ? { redis: { needed: false, ask: () => ({ well: !redisAway(), says: redisAway() ? 'away' : 'well' }) } } : {}),
    },
  });
  await operations.listen({ ...where, port: where.port + observed.slot });
  return operations;
}

async function databaseHealth({ db }: Store): Promise<Health> {
  await sql`select 1`.execute(db);
  return { well: true, says: 'well' };
}

function feedHealth(staleMs: number, mostSeconds: number): Health {
  const well = staleMs <= mostSeconds * 1000;
  return { well, says: `${well ? 'well' : 'too old'}, read ${(staleMs / 1000).toFixed(1)} seconds ago` };
}

/** A database that does not answer is as good as none: whoever asks has a time-out of their own. */
async function inTime<T>(work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer in ${PATIENCE_MS / 1000} seconds`)), PATIENCE_MS);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
    work.catch(() => {});
  }
}
