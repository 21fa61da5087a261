import type { Reader } from '#store/tables.ts';
import type { AdminDeps } from './deps.ts';

const minuteMs = 60_000;

type Limits = Pick<AdminDeps, 'settings' | 'now'>;

/**
 * When this session last used the administration after a right code; null if none was right, or if that was too long ago.
 * Read from the database each time: a phone may just have been deleted by another process, and these pages are few.
 */
export async function freshSince(db: Reader, session: number, { settings, now }: Limits): Promise<number | null> {
  const row = await db.selectFrom('sessions').select('admin_seen_at').where('id', '=', session).executeTakeFirst();
  const seenAt = row?.admin_seen_at ?? null;
  return seenAt !== null && now() - seenAt < settings.adminAwayMinutes * minuteMs ? seenAt : null;
}

/** Moves that time on, once a minute, and only while it is set: a request under way must not undo the deletion of a phone. */
export async function keepFresh(db: Reader, session: number, since: number, now: number): Promise<void> {
  if (now - since < minuteMs) return;
  await db.updateTable('sessions').set({ admin_seen_at: now }).where('id', '=', session).where('admin_seen_at', 'is not', null).execute();
}
