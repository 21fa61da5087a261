import { randomUUID } from 'node:crypto';
import type { Store } from './database.ts';
import { endCodesOfTheFuture } from './security-codes.ts';
import type { Reader } from './tables.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const year = 365 * day;
const lookEveryMs = 10 * 60_000;

/** A piece of timed work that one process does: how often, and how long the others leave it to one that may have died. */
export type Job = { name: string; everyMs: number; leaseMs: number };

const pruning: Job = { name: 'prune', everyMs: hour, leaseMs: 10 * 60_000 };

type TimedWork = { now: () => number; longestSessionMs: number; onError(error: unknown): void };

/**
 * Prunes once an hour, in one process of however many there are, and looks whether it is time at the start too: a gateway may be restarted
 * every night. Looks every minute whether the clock was set back.
 */
export function startTimedWork({ db }: Pick<Store, 'db'>, { now, longestSessionMs, onError }: TimedWork): { close(): Promise<void> } {
  const holder = randomUUID();
  let running = Promise.resolve();
  const run = async () => {
    const began = now();
    if (!(await takeJob(db, pruning, holder, began))) return;
    await prune(db, began, longestSessionMs);
    await endCodesOfTheFuture(db, began);
    await finishJob(db, pruning, holder, began);
  };
  const begin = () => {
    running = running.then(run).catch(onError);
  };
  begin();
  const timer = setInterval(begin, lookEveryMs).unref();
  const look = setInterval(() => {
    running = running.then(() => endCodesOfTheFuture(db, now())).catch(onError);
  }, minute).unref();
  return {
    async close() {
      clearInterval(timer);
      clearInterval(look);
      await running;
    },
  };
}

/** Leases a job to one holder if it is time again. False while another's lease runs: whichever comes first does it. */
export async function takeJob(db: Reader, { name, everyMs, leaseMs }: Job, holder: string, now: number): Promise<boolean> {
  const lease = { leased_by: holder, leased_until: now + leaseMs };
  const row = await db
    .insertInto('jobs')
    .values({ name, ...lease })
    .onConflict(conflict =>
      conflict
        .column('name')
        .doUpdateSet(lease)
        .where(where =>
          where.or([where('jobs.leased_until', 'is', null), where('jobs.leased_until', '<=', now), where('jobs.leased_by', '=', holder)]),
        )
        .where(where => where.or([where('jobs.last_run_at', 'is', null), where('jobs.last_run_at', '<=', now - everyMs)])),
    )
    .returning('leased_by')
    .executeTakeFirst();
  return row !== undefined;
}

/** Notes when the work that is done now was begun, and lets go of the job. */
export async function finishJob(db: Reader, { name }: Job, holder: string, began: number): Promise<void> {
  await db
    .updateTable('jobs')
    .set({ leased_by: null, leased_until: null, last_run_at: began })
    .where('name', '=', name)
    .where('leased_by', '=', holder)
    .execute();
}

/** Forgets what can no longer matter: tries and codes older than a day, forms nobody sent, the tokens of sessions long over, and events of last year. */
export async function prune(db: Reader, now: number, longestSessionMs: number): Promise<void> {
  await db
    .deleteFrom('attempts')
    .where('at', '<', now - day)
    .execute();
  await db
    .deleteFrom('handoff_codes')
    .where('expires_at', '<', now - day)
    .execute();
  await db.deleteFrom('kept_forms').where('expires_at', '<=', now).execute();
  await db
    .deleteFrom('security_codes')
    .where('expires_at', '<', now - day)
    .execute();
  await db
    .deleteFrom('events')
    .where('at', '<', now - year)
    .execute();
  await db
    .deleteFrom('session_tokens')
    .where('session_id', 'in', old =>
      old
        .selectFrom('sessions')
        .select('id')
        .where(where => where.or([where('ended_at', '<', now - day), where('created_at', '<', now - longestSessionMs - day)])),
    )
    .execute();
}
