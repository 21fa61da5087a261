import { ZodError } from 'zod';
import { secretsOf } from '#store/outbox.ts';
import type { ClaimedMessage } from '#store/outbox-queue.ts';
import { RefusedForGood, type Transports } from './delivery.ts';
import type { Letterhead } from './letter.ts';
import { composeEmail, composeText } from './templates.ts';

/** What a message was sealed with: `link` is a whole address on the portal, `code` six digits. */
export type Secrets = { link?: string; code?: string };

type Sending = { transports: Transports; letterhead: Letterhead; sealKeys: readonly Uint8Array[] };

/** Opens, writes and sends one message. Throws RefusedForGood when it can never be sent; no error repeats its code or link. */
export async function sendMessage(message: ClaimedMessage, sending: Sending): Promise<void> {
  const secrets: Secrets = secretsOf(message, ...sending.sealKeys);
  try {
    await (message.channel === 'email' ? sendEmail(message, secrets, sending) : sendText(message, secrets, sending));
  } catch (error) {
    const reason = withoutSecrets(reasonOf(error), secrets);
    throw error instanceof RefusedForGood ? new RefusedForGood(reason) : new Error(reason);
  }
}

async function sendEmail(message: ClaimedMessage, { link }: Secrets, { transports, letterhead }: Sending): Promise<void> {
  if (transports.email === null) throw new Error('no SMTP server is configured');
  const { template, data, createdAt } = message;
  const content = written(() => composeEmail({ template, data, at: createdAt, secret: link ?? null }, letterhead));
  await transports.email.send({ id: idOf(message, letterhead), to: message.recipient, ...content });
}

async function sendText(message: ClaimedMessage, { code }: Secrets, { transports, letterhead }: Sending): Promise<void> {
  if (transports.text === null) throw new Error('no way to send text messages is configured');
  const text = written(() => composeText({ template: message.template, secret: code ?? null }, letterhead));
  await transports.text.send({ id: idOf(message, letterhead), to: message.recipient, text });
}

/** The same for every attempt at one message, and another for a row of the same number in a database begun afresh. */
function idOf({ id, createdAt }: ClaimedMessage, { portal }: Letterhead): string {
  return `${id}.${createdAt}.${portal.host}`;
}

/** A message that cannot be written today cannot be written tomorrow either. */
function written<Content>(compose: () => Content): Content {
  try {
    return compose();
  } catch (error) {
    throw new RefusedForGood(reasonOf(error));
  }
}

function reasonOf(error: unknown): string {
  // Zod's own words run over many lines; the names of the fields are what helps.
  if (error instanceof ZodError) return `the data do not fit the template: ${error.issues.map(({ path }) => path.join('.')).join(', ')}`;
  return error instanceof Error ? error.message : String(error);
}

/** A mail server may quote the link it dislikes in its refusal, cut short or broken over lines; and the refusal is kept. */
function withoutSecrets(reason: string, { link, code }: Secrets): string {
  const pieces = (link?.match(/[\w-]{16,}/g) ?? []).flatMap(piecesOf);
  const known = [link, code].reduce<string>((text, secret) => (secret ? text.replaceAll(secret, '[secret]') : text), reason);
  return known.replace(/[\w-]{8,}/g, word => (pieces.some(piece => word.includes(piece)) ? '[secret]' : word));
}

/** Every eight characters in a row: fewer say too little to be of use to anybody. */
const piecesOf = (token: string): string[] => Array.from({ length: token.length - 7 }, (_, from) => token.slice(from, from + 8));
