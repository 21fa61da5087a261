import type { Reader } from './tables.ts';

// Kept with the session, and read anew each time: a security phone may just have been deleted by another process.

/** When a session last used the administration after a right code; null when a code must be asked for. */
export async function adminSeenAt(db: Reader, session: number): Promise<number | null> {
  const row = await db.selectFrom('sessions').select('admin_seen_at').where('id', '=', session).executeTakeFirst();
  return row?.admin_seen_at ?? null;
}

/** A right code: the administration is open to this session from now on. */
export async function setAdminSeen(db: Reader, session: number, now: number): Promise<void> {
  await db.updateTable('sessions').set({ admin_seen_at: now }).where('id', '=', session).execute();
}

/** Moves that time on, and only while it is set: a request under way must not undo the deletion of a phone. */
export async function keepAdminSeen(db: Reader, session: number, now: number): Promise<void> {
  await db.updateTable('sessions').set({ admin_seen_at: now }).where('id', '=', session).where('admin_seen_at', 'is not', null).execute();
}

/** Makes every session of a person ask for a code again. */
export async function forgetAdminSeen(db: Reader, person: number): Promise<void> {
  await db.updateTable('sessions').set({ admin_seen_at: null }).where('person_id', '=', person).where('ended_at', 'is', null).execute();
}
