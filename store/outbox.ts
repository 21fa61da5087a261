import { sql } from 'kysely';
import { type Change, isPostgres } from './database.ts';
import { seal, unsealWithAny } from './sealing.ts';
import type { Channel, Reader } from './tables.ts';

const second = 1_000;
const hour = 3_600 * second;
const emailPatience = 72 * hour;
// So many tries fill those hours. Counted too, because a message may have waited for days before anybody could try it once.
const triesOfPatience = 82;
const longestError = 500;

export type NewMessage = {
  channel: Channel;
  recipient: string;
  template: string;
  data: Record<string, unknown>;
  /** Codes and links: sealed here, wiped once the message is sent or given up. */
  secrets?: { key: Uint8Array; values: Record<string, string> };
  person?: number | null;
  activity?: number | null;
  /** When the message stops making sense (a code dies); null for never. */
  expiresAt?: number | null;
  now: number;
};

// Bound to its recipient, so that a sealed code moved to another row cannot be read out to somebody else.
const purposeOf = (template: string, recipient: string): string => `outbox:${template}:${recipient}`;

/** Writes a message in the transaction of the change that causes it. Returns its id. */
export async function enqueue(tx: Change, message: NewMessage): Promise<number> {
  const { channel, recipient, template, data, secrets, person, activity, expiresAt, now } = message;
  const { id } = await tx
    .insertInto('outbox')
    .values({
      created_at: now,
      channel,
      recipient,
      template,
      data: JSON.stringify(data),
      sealed: secrets ? seal(secrets.key, purposeOf(template, recipient), JSON.stringify(secrets.values)) : null,
      person_id: person ?? null,
      activity_id: activity ?? null,
      status: 'waiting',
      next_try_at: now,
      expires_at: expiresAt ?? null,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

/** Says more in a message that nobody has tried to send. False if somebody has, and its words stand. */
export async function amend(tx: Change, id: number, data: Record<string, unknown>): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('outbox')
    .set({ data: JSON.stringify(data) })
    .where('id', '=', id)
    .where('status', '=', 'waiting')
    .where('tries', '=', 0)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

export type ClaimedMessage = {
  id: number;
  channel: Channel;
  recipient: string;
  template: string;
  data: Record<string, unknown>;
  sealed: string | null;
  person: number | null;
  createdAt: number;
  expiresAt: number | null;
  tries: number;
  leasedUntil: number;
};

/** What was sealed into a message, with any of the keys. Throws SealBroken when it was another. */
export function secretsOf({ template, recipient, sealed }: ClaimedMessage, ...keys: Uint8Array[]): Record<string, string> {
  return sealed === null ? {} : JSON.parse(unsealWithAny(keys, purposeOf(template, recipient), sealed));
}

/** Leases up to `limit` messages that are due (or whose worker died) to the caller, oldest first, for `leaseMs`. */
export async function claim(db: Reader, now: number, limit: number, leaseMs = 60 * second): Promise<ClaimedMessage[]> {
  const leasedUntil = now + leaseMs;
  const rows = await db
    .updateTable('outbox')
    .set(row => ({ status: 'sending', leased_until: leasedUntil, tries: row('tries', '+', 1) }))
    .where('id', 'in', due =>
      due
        .selectFrom('outbox')
        .select('id')
        .where(where =>
          where.or([
            where.and([where('status', '=', 'waiting'), where('next_try_at', '<=', now)]),
            where.and([where('status', '=', 'sending'), where('leased_until', '<=', now)]),
          ]),
        )
        .where(where => where.or([where('expires_at', 'is', null), where('expires_at', '>', now)]))
        .orderBy('id')
        .limit(limit)
        .$if(isPostgres(db), query => query.modifyEnd(sql`for update skip locked`)),
    )
    .returningAll()
    .execute();
  return rows
    .sort((a, b) => a.id - b.id)
    .map(row => ({
      id: row.id,
      channel: row.channel,
      recipient: row.recipient,
      template: row.template,
      data: JSON.parse(row.data),
      sealed: row.sealed,
      person: row.person_id,
      createdAt: row.created_at,
      expiresAt: row.expires_at,
      tries: row.tries,
      leasedUntil,
    }));
}

export type GivenUp = { id: number; channel: Channel; template: string; tries: number };

/** Gives up the messages that have expired, wipes their secrets, and says which they were: somebody waits for them. */
export function giveUpExpired(db: Reader, now: number): Promise<GivenUp[]> {
  return db
    .updateTable('outbox')
    .set({ status: 'failed', sealed: null, leased_until: null, last_error: 'It was not sent before it expired.' })
    .where('status', 'in', ['waiting', 'sending'])
    .where('expires_at', '<=', now)
    .returning(['id', 'channel', 'template', 'tries'])
    .execute();
}

/** The message has left. Counts even if the lease had run out by then, because it cannot be called back. */
export async function markSent(db: Reader, { id }: ClaimedMessage, now: number): Promise<void> {
  await db
    .updateTable('outbox')
    .set({ status: 'sent', sealed: null, leased_until: null, sent_at: now, last_error: null })
    .where('id', '=', id)
    .execute();
}

function isOver({ expiresAt, createdAt, tries }: ClaimedMessage, now: number): boolean {
  return expiresAt === null ? tries >= triesOfPatience && now >= createdAt + emailPatience : now >= expiresAt;
}

/** When to try again after that many tries: 5 s, 10 s, 20 s … an hour at most. */
export const backOff = (tries: number): number => Math.min(5 * second * 2 ** Math.min(tries - 1, 30), hour);

/**
 * The message could not be sent: it waits for its next turn. It is given up, and its secrets wiped, once it has expired; one
 * that never expires after three days of tries; any at once if it was refused `forGood`. The error must not carry message text.
 */
export async function markFailed(
  db: Reader,
  message: ClaimedMessage,
  now: number,
  error: string,
  forGood = false,
): Promise<'waiting' | 'failed'> {
  const over = forGood || isOver(message, now);
  const { numUpdatedRows } = await db
    .updateTable('outbox')
    .set({ status: over ? 'failed' : 'waiting', next_try_at: now + backOff(message.tries), leased_until: null })
    .set({ last_error: error.slice(0, longestError) })
    .$if(over, query => query.set({ sealed: null }))
    .where('id', '=', message.id)
    .where('status', '=', 'sending')
    .where('leased_until', '=', message.leasedUntil)
    .executeTakeFirst();
  return over && numUpdatedRows > 0n ? 'failed' : 'waiting';
}
