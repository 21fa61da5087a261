import type { Change } from '#store/database.ts';
import { enqueue } from '#store/outbox.ts';
import { addCode, type CodeLimits, pendingCode } from '#store/security-codes.ts';
import type { CodePurpose, PersonRow } from '#store/tables.ts';
import type { AdminDeps } from '../deps.ts';

export type Sender = Pick<AdminDeps, 'settings' | 'keys'>;
export type CodeFor = { person: number; session: number; purpose: CodePurpose; phone: string; now: number };
/** `after` is when the limit lets another code be sent, in milliseconds since the epoch. */
export type Sent = { outcome: 'sent' } | { outcome: 'too-many'; after: number };

/** Whoever tried too many codes waits as long as after too many wrong passwords. */
export const limitsOf = ({ code, signIn }: Sender['settings']): CodeLimits => ({ ...code, waitMinutes: signIn.waitMinutes });

/** What a code is for: whoever has a security phone proves it, whoever has none registers one. */
export const purposeFor = (person: PersonRow): CodePurpose => (person.security_phone === null ? 'register-phone' : 'administration');

// Nobody has read the text by then: who asks again so soon has pressed twice, or their browser has.
const AGAIN_MS = 2_000;

/** Makes a code and queues the text message that carries it. The code stands nowhere else. */
export async function sendCode(tx: Change, { settings, keys }: Sender, asked: CodeFor): Promise<Sent> {
  const last = await pendingCode(tx, asked);
  if (last && last.phone === asked.phone && asked.now - last.createdAt < AGAIN_MS) return { outcome: 'sent' };
  const made = await addCode(tx, { ...asked, key: keys.code, limits: limitsOf(settings) });
  if ('notBefore' in made) return { outcome: 'too-many', after: made.notBefore };
  await enqueue(tx, {
    channel: 'text',
    recipient: asked.phone,
    template: 'security-code',
    data: {},
    secrets: { key: keys.seal, values: { code: made.code } },
    person: asked.person,
    expiresAt: made.expiresAt,
    now: asked.now,
  });
  return { outcome: 'sent' };
}
