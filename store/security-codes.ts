import { createHmac, randomInt } from 'node:crypto';
import { addAttempt, attemptTimes, clearAttempts, countAttempts } from './attempts.ts';
import type { Change } from './database.ts';
import type { CodePurpose, Reader } from './tables.ts';
import { sameSecret } from './tokens.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
// Clocks of several machines differ a little. A code that was made later than that from now is from before a clock was set back.
const clocksDiffer = 5_000;

export type CodeLimits = {
  /** How long a code can be used. */
  minutes: number;
  /** How many codes a person may try within `waitMinutes`. */
  tries: number;
  waitMinutes: number;
  sendsPerHour: number;
  sendsPerDay: number;
};
export type CodeWhere = { person: number; session: number; purpose: CodePurpose; key: Uint8Array; limits: CodeLimits; now: number };

// A plain hash of six digits is found in a second by whoever has the database; under a key that is not in it, it is not.
function hashCode({ key, person, purpose }: CodeWhere, code: string): string {
  return createHmac('sha256', key).update(`${purpose}:${person}:${code}`).digest('base64url');
}

/**
 * Makes a new six-digit code and ends the one before it. Tries already made stay counted: asking again must not buy guesses.
 * When this person was sent as many as the hour or the day allows, none is made, and the answer is the instant from which one may be.
 */
export async function addCode(
  tx: Change,
  asked: CodeWhere & { phone: string },
): Promise<{ code: string; expiresAt: number } | { notBefore: number }> {
  const { person, session, purpose, phone, limits, now } = asked;
  const notBefore = await nextSend(tx, person, limits, now);
  if (notBefore > now) return { notBefore };
  await addAttempt(tx, 'code-send', String(person), now);
  await unused(tx, person).where('purpose', '=', purpose).set({ used_at: now }).execute();
  const code = String(randomInt(1_000_000)).padStart(6, '0');
  const expiresAt = now + limits.minutes * minute;
  await tx
    .insertInto('security_codes')
    .values({
      person_id: person,
      session_id: session,
      purpose,
      phone,
      code_hash: hashCode(asked, code),
      created_at: now,
      expires_at: expiresAt,
    })
    .execute();
  return { code, expiresAt };
}

/** When the limits let a person be sent another code; a moment that has passed if they do now. */
async function nextSend(db: Reader, person: number, { sendsPerHour, sendsPerDay }: CodeLimits, now: number): Promise<number> {
  const sends = await attemptTimes(db, 'code-send', String(person), now - day);
  const freeAgain = (limit: number, window: number) => (sends[limit - 1] ?? now - window) + window;
  return Math.max(freeAgain(sendsPerHour, hour), freeAgain(sendsPerDay, day));
}

function unused(tx: Change, person: number) {
  return tx.updateTable('security_codes').where('person_id', '=', person).where('used_at', 'is', null);
}

/** Ends every code a person could still enter, because the number they went to counts no longer. */
export async function endCodes(tx: Change, person: number, now: number): Promise<void> {
  await unused(tx, person).set({ used_at: now }).execute();
}

/** Ends the codes of a time that is still to come: the clock was set back, and they would live until it has caught up, and then again. */
export async function endCodesOfTheFuture(db: Reader, now: number): Promise<void> {
  await db
    .updateTable('security_codes')
    .where('used_at', 'is', null)
    .where('created_at', '>', now + clocksDiffer)
    .set({ used_at: now })
    .execute();
}

const isLive = ({ created_at, expires_at }: { created_at: number; expires_at: number }, now: number) =>
  created_at <= now + clocksDiffer && now < expires_at;

type SentFor = Pick<CodeWhere, 'person' | 'session' | 'purpose'>;

/** The code a session was sent last for a purpose, while it is not used; it may have expired. */
function lastCode(db: Reader, { person, session, purpose }: SentFor) {
  return db
    .selectFrom('security_codes')
    .selectAll()
    .where('person_id', '=', person)
    .where('session_id', '=', session)
    .where('purpose', '=', purpose)
    .where('used_at', 'is', null)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
}

/** The number a session was registering last, while its code lives or after: it is stored nowhere else until a code was right. */
export async function numberBeingRegistered(db: Reader, person: number, session: number): Promise<string | null> {
  return (await lastCode(db, { person, session, purpose: 'register-phone' }))?.phone ?? null;
}

export type PendingCode = { phone: string; createdAt: number; expiresAt: number };

/** The code a session waits for, if one was sent and can still be entered. */
export async function pendingCode(db: Reader, { now, ...sentFor }: SentFor & { now: number }): Promise<PendingCode | undefined> {
  const row = await lastCode(db, sentFor);
  return row && isLive(row, now) ? { phone: row.phone, createdAt: row.created_at, expiresAt: row.expires_at } : undefined;
}

export type CodeResult = { outcome: 'right'; phone: string } | { outcome: 'wrong' | 'expired' | 'too-many' };

/**
 * Judges a typed code: counts the try first, then compares, then uses the code up. The lock of the change makes this one
 * step, so parallel guesses cannot outrun the counter; the caller must let the change commit whatever the outcome is.
 */
export async function takeCode(tx: Change, typed: CodeWhere & { code: string }): Promise<CodeResult> {
  const { person, purpose, code, limits, now } = typed;
  const key = String(person);
  if ((await countAttempts(tx, 'code-try', key, now - limits.waitMinutes * minute)) >= limits.tries) return { outcome: 'too-many' };
  await addAttempt(tx, 'code-try', key, now);
  const row = await lastCode(tx, typed);
  if (!row || !isLive(row, now)) return { outcome: 'expired' };
  if (!sameSecret(row.code_hash, hashCode(typed, code))) return { outcome: 'wrong' };
  await unused(tx, person).where('purpose', '=', purpose).set({ used_at: now }).execute();
  await clearAttempts(tx, 'code-try', key);
  return { outcome: 'right', phone: row.phone };
}
