import type { Change } from '#store/database.ts';
import { enqueue } from '#store/outbox.ts';
import { addCode } from '#store/security-codes.ts';
import type { CodePurpose, PersonRow, Reader } from '#store/tables.ts';
import type { AdminDeps } from '../deps.ts';

export type Sender = Pick<AdminDeps, 'settings' | 'keys'>;
export type CodeFor = { person: number; session: number; purpose: CodePurpose; phone: string; now: number };
/** `after` is when the limit lets another code be sent, in milliseconds since the epoch. */
export type Sent = { outcome: 'sent' } | { outcome: 'too-many'; after: number };

const hourMs = 3_600_000;

/** What a code is for: whoever has a security phone proves it, whoever has none registers one. */
export const purposeFor = (person: PersonRow): CodePurpose => (person.security_phone === null ? 'register-phone' : 'administration');

/** Makes a code and queues the text message that carries it. The code stands nowhere else. */
export async function sendCode(tx: Change, { settings, keys }: Sender, asked: CodeFor): Promise<Sent> {
  const code = await addCode(tx, { ...asked, key: keys.code, limits: settings.code });
  if (code === 'too-many') return { outcome: 'too-many', after: await whenAllowed(tx, asked, settings.code) };
  await enqueue(tx, {
    channel: 'text',
    recipient: asked.phone,
    template: 'security-code',
    data: {},
    secrets: { key: keys.seal, values: { code: code.code } },
    person: asked.person,
    expiresAt: code.expiresAt,
    now: asked.now,
  });
  return { outcome: 'sent' };
}

async function whenAllowed(db: Reader, { person, now }: CodeFor, limits: AdminDeps['settings']['code']): Promise<number> {
  const sends = await db
    .selectFrom('attempts')
    .select('at')
    .where('kind', '=', 'code-send')
    .where('key', '=', String(person))
    .where('at', '>=', now - 24 * hourMs)
    .orderBy('at', 'desc')
    .execute();
  const free = (limit: number, window: number) => (sends[limit - 1]?.at ?? now - window) + window;
  return Math.max(free(limits.sendsPerHour, hourMs), free(limits.sendsPerDay, 24 * hourMs));
}

/** The number this session was last registering, while its code lives or after: it is stored nowhere else until a code was right. */
export async function numberBeingRegistered(db: Reader, person: number, session: number): Promise<string | null> {
  const row = await db
    .selectFrom('security_codes')
    .select('phone')
    .where('person_id', '=', person)
    .where('session_id', '=', session)
    .where('purpose', '=', 'register-phone')
    .where('used_at', 'is', null)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.phone ?? null;
}

/** Whether the last text message to this person was given up. */
export async function lastTextFailed(db: Reader, person: number): Promise<boolean> {
  const row = await db
    .selectFrom('outbox')
    .select('status')
    .where('person_id', '=', person)
    .where('channel', '=', 'text')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.status === 'failed';
}

/** Ends every code a person could still enter, because the number they went to counts no longer. */
export async function endCodes(tx: Change, person: number, now: number): Promise<void> {
  await tx.updateTable('security_codes').set({ used_at: now }).where('person_id', '=', person).where('used_at', 'is', null).execute();
}
