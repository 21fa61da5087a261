import type { Reader } from './tables.ts';

export type AttemptKind = 'sign-in' | 'sign-in-address' | 'sign-in-pair' | 'code-try' | 'code-send' | 'reset' | 'reset-address';

/** How many tries of that kind there were with that key since then (that moment included). */
export async function countAttempts(db: Reader, kind: AttemptKind, key: string, since: number): Promise<number> {
  const { count } = await db
    .selectFrom('attempts')
    .select(row => row.fn.countAll<number>().as('count'))
    .where('kind', '=', kind)
    .where('key', '=', key)
    .where('at', '>=', since)
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** Notes a try. Count it before what is tried is judged: a burst sent side by side must not get past the limit. */
export async function addAttempt(db: Reader, kind: AttemptKind, key: string, now: number): Promise<void> {
  await db.insertInto('attempts').values({ kind, key, at: now }).execute();
}

/** When there were tries of that kind with that key since then, the latest first. */
export async function attemptTimes(db: Reader, kind: AttemptKind, key: string, since: number): Promise<number[]> {
  const rows = await db
    .selectFrom('attempts')
    .select('at')
    .where('kind', '=', kind)
    .where('key', '=', key)
    .where('at', '>=', since)
    .orderBy('at', 'desc')
    .execute();
  return rows.map(row => row.at);
}

/** Forgets the tries, after a right one. */
export async function clearAttempts(db: Reader, kind: AttemptKind, key: string): Promise<void> {
  await db.deleteFrom('attempts').where('kind', '=', kind).where('key', '=', key).execute();
}
