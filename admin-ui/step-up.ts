import { adminSeenAt, keepAdminSeen } from '#store/step-up.ts';
import type { Reader } from '#store/tables.ts';
import type { AdminDeps } from './deps.ts';

const minuteMs = 60_000;

type Limits = Pick<AdminDeps, 'settings' | 'now'>;

/** When this session last used the administration after a right code; null if none was right, or if that was too long ago. */
export async function freshSince(db: Reader, session: number, { settings, now }: Limits): Promise<number | null> {
  const seenAt = await adminSeenAt(db, session);
  return seenAt !== null && now() - seenAt < settings.adminAwayMinutes * minuteMs ? seenAt : null;
}

/** Moves that time on, once a minute. */
export async function keepFresh(db: Reader, session: number, since: number, now: number): Promise<void> {
  if (now - since >= minuteMs) await keepAdminSeen(db, session, now);
}
