import type { Change } from './database.ts';
import { insertRows } from './many.ts';
import { seal, unsealWithAny } from './sealing.ts';
import type { Channel, Reader } from './tables.ts';

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

function messageRow({ channel, recipient, template, data, secrets, person, activity, expiresAt, now }: NewMessage) {
  return {
    created_at: now,
    channel,
    recipient,
    template,
    data: JSON.stringify(data),
    sealed: secrets ? seal(secrets.key, purposeOf(template, recipient), JSON.stringify(secrets.values)) : null,
    person_id: person ?? null,
    activity_id: activity ?? null,
    status: 'waiting' as const,
    next_try_at: now,
    expires_at: expiresAt ?? null,
  };
}

/** Writes messages in the transaction of the change that causes them. Returns their ids. */
export async function enqueueAll(tx: Change, messages: readonly NewMessage[]): Promise<number[]> {
  const rows = await insertRows(tx, 'outbox', messages.map(messageRow), ['id']);
  // They are given in the order of the messages, but no database promises to return them so.
  return rows.map(({ id }) => id).sort((one, other) => one - other);
}

/** Writes one and returns its id. */
export async function enqueue(tx: Change, message: NewMessage): Promise<number> {
  const [id = 0] = await enqueueAll(tx, [message]);
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

type SealedMessage = { template: string; recipient: string; sealed: string | null };

/** What was sealed into a message, with any of the keys. Throws SealBroken when it was another. */
export function secretsOf({ template, recipient, sealed }: SealedMessage, ...keys: Uint8Array[]): Record<string, string> {
  return sealed === null ? {} : JSON.parse(unsealWithAny(keys, purposeOf(template, recipient), sealed));
}

/** Whether the last text message to a person was given up. */
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
