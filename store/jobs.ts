import { randomUUID } from 'node:crypto';
import type { Store } from './database.ts';
import { endCodesOfTheFuture } from './security-codes.ts';
import type { Reader } from './tables.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const year = 365 * day;
const leaseMs = 10 * 60_000;

type TimedWork = { now: () => number; longestSessionMs: number; onError(error: unknown): void };

/**
 * Prunes once an hour, in one process of however many there are, and once at the start: a gateway may be restarted every night.
 * Looks every minute whether the clock was set back.
 */
export function startTimedWork({ db }: Pick<Store, 'db'>, { now, longestSessionMs, onError }: TimedWork): { close(): Promise<void> } {
  const holder = randomUUID();
  let running = Promise.resolve();
  const run = async () => {
    if (!(await takeJob(db, 'prune', holder, now(), leaseMs))) return;
    await prune(db, now(), longestSessionMs);
    await endCodesOfTheFuture(db, now());
    await finishJob(db, 'prune', holder, now());
  };
  const begin = () => {
    running = running.then(run).catch(onError);
  };
  begin();
  const timer = setInterval(begin, hour).unref();
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

/** Leases a job to one holder for `ms`. False while another's lease runs: one process does timed work, whichever comes first. */
export async function takeJob(db: Reader, name: string, holder: string, now: number, ms: number): Promise<boolean> {
  const row = await db
    .insertInto('jobs')
    .values({ name, leased_by: holder, leased_until: now + ms })
    .onConflict(conflict =>
      conflict
        .column('name')
        .doUpdateSet({ leased_by: holder, leased_until: now + ms })
        .where(where =>
          where.or([where('jobs.leased_until', 'is', null), where('jobs.leased_until', '<=', now), where('jobs.leased_by', '=', holder)]),
        ),
    )
    .returning('leased_by')
    .executeTakeFirst();
  return row !== undefined;
}

/** Notes that the job was done and lets go of it. */
export async function finishJob(db: Reader, name: string, holder: string, now: number): Promise<void> {
  await db
    .updateTable('jobs')
    .set({ leased_by: null, leased_until: null, last_run_at: now })
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
