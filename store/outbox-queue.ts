import { type ExpressionBuilder, sql } from 'kysely';
import { isPostgres } from './database.ts';
import type { Channel, Reader, Tables } from './tables.ts';

const second = 1_000;
const hour = 3_600 * second;
const day = 24 * hour;
const emailPatience = 72 * hour;
// So many tries fill those hours. Counted too, because a message may have waited for days before anybody could try it once.
const triesOfPatience = 82;
const longestError = 500;

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

/** Waiting for its turn, or taken by a worker that died with it. */
const isDue = (now: number) => (row: ExpressionBuilder<Tables, 'outbox'>) =>
  row.or([
    row.and([row('status', '=', 'waiting'), row('next_try_at', '<=', now)]),
    row.and([row('status', '=', 'sending'), row('leased_until', '<=', now)]),
  ]);

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
        .where(isDue(now))
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

/**
 * Sets aside every message of a channel that is due, until an instant in milliseconds, without counting a try: for a channel that has no
 * way out, or whose server is down, so that its messages do not stand in front of the other channel's codes, which die in minutes.
 */
export async function holdBack(db: Reader, channel: Channel, now: number, until: number): Promise<void> {
  await db
    .updateTable('outbox')
    .set({ status: 'waiting', next_try_at: until, leased_until: null })
    .where('channel', '=', channel)
    .where(isDue(now))
    .execute();
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

export type OutboxState = { channel: Channel; waiting: number; oldest: number | null; failed: number };

/** How each channel is doing: how many messages wait, since when the oldest does, and how many of the last day were given up. */
export async function outboxState(db: Reader, now: number): Promise<OutboxState[]> {
  const rows = await db
    .selectFrom('outbox')
    .select(['channel', 'status', ({ fn }) => fn.countAll<number>().as('messages'), ({ fn }) => fn.min('created_at').as('oldest')])
    .where(where =>
      where.or([
        where('status', 'in', ['waiting', 'sending']),
        where.and([where('status', '=', 'failed'), where('created_at', '>', now - day)]),
      ]),
    )
    .groupBy(['channel', 'status'])
    .execute();
  return (['email', 'text'] as const).map(channel => {
    const own = rows.filter(row => row.channel === channel);
    const open = own.filter(({ status }) => status !== 'failed');
    const sum = (some: typeof own) => some.reduce((total, { messages }) => total + Number(messages), 0);
    const oldest = open.length === 0 ? null : Math.min(...open.map(row => Number(row.oldest)));
    return { channel, waiting: sum(open), oldest, failed: sum(own) - sum(open) };
  });
}
