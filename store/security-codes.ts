import { createHmac, randomInt, timingSafeEqual } from 'node:crypto';
import { addAttempt, clearAttempts, countAttempts } from './attempts.ts';
import type { Change } from './database.ts';
import type { CodePurpose, Reader } from './tables.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

export type CodeLimits = { minutes: number; tries: number; sendsPerHour: number; sendsPerDay: number };
export type CodeWhere = { person: number; session: number; purpose: CodePurpose; key: Uint8Array; limits: CodeLimits; now: number };

// A plain hash of six digits is found in a second by whoever has the database; under a key that is not in it, it is not.
function hashCode({ key, person, purpose }: CodeWhere, code: string): string {
  return createHmac('sha256', key).update(`${purpose}:${person}:${code}`).digest('base64url');
}

/**
 * Makes a new six-digit code and ends the one before it. Tries already made stay counted: asking again must not buy guesses.
 * 'too-many' when this person was sent as many as the hour or the day allows.
 */
export async function addCode(tx: Change, asked: CodeWhere & { phone: string }): Promise<{ code: string; expiresAt: number } | 'too-many'> {
  const { person, session, purpose, phone, limits, now } = asked;
  const key = String(person);
  if ((await countAttempts(tx, 'code-send', key, now - hour)) >= limits.sendsPerHour) return 'too-many';
  if ((await countAttempts(tx, 'code-send', key, now - day)) >= limits.sendsPerDay) return 'too-many';
  await addAttempt(tx, 'code-send', key, now);
  await liveCodes(tx, person, purpose).set({ used_at: now }).execute();
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

function liveCodes(tx: Change, person: number, purpose: CodePurpose) {
  return tx.updateTable('security_codes').where('person_id', '=', person).where('purpose', '=', purpose).where('used_at', 'is', null);
}

export type PendingCode = { phone: string; createdAt: number; expiresAt: number };

/** The code a session waits for, if one was sent and can still be entered. */
export async function pendingCode(
  db: Reader,
  { person, session, purpose, now }: Omit<CodeWhere, 'key' | 'limits'>,
): Promise<PendingCode | undefined> {
  const row = await db
    .selectFrom('security_codes')
    .select(['phone', 'created_at', 'expires_at'])
    .where('person_id', '=', person)
    .where('session_id', '=', session)
    .where('purpose', '=', purpose)
    .where('used_at', 'is', null)
    .where('expires_at', '>', now)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row && { phone: row.phone, createdAt: row.created_at, expiresAt: row.expires_at };
}

export type CodeResult = { outcome: 'right'; phone: string } | { outcome: 'wrong' | 'expired' | 'too-many' };

/**
 * Judges a typed code: counts the try first, then compares, then uses the code up. The lock of the change makes this one
 * step, so parallel guesses cannot outrun the counter; the caller must let the change commit whatever the outcome is.
 */
export async function takeCode(tx: Change, typed: CodeWhere & { code: string }): Promise<CodeResult> {
  const { person, session, purpose, code, limits, now } = typed;
  const key = String(person);
  if ((await countAttempts(tx, 'code-try', key, now - hour)) >= limits.tries) return { outcome: 'too-many' };
  await addAttempt(tx, 'code-try', key, now);
  const row = await liveCode(tx, person, session, purpose);
  if (!row || row.expires_at <= now) return { outcome: 'expired' };
  if (!equal(row.code_hash, hashCode(typed, code))) return { outcome: 'wrong' };
  await liveCodes(tx, person, purpose).set({ used_at: now }).execute();
  await clearAttempts(tx, 'code-try', key);
  return { outcome: 'right', phone: row.phone };
}

function liveCode(tx: Change, person: number, session: number, purpose: CodePurpose) {
  return tx
    .selectFrom('security_codes')
    .select(['code_hash', 'phone', 'expires_at'])
    .where('person_id', '=', person)
    .where('session_id', '=', session)
    .where('purpose', '=', purpose)
    .where('used_at', 'is', null)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
}

function equal(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
