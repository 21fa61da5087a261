import type { Store } from '#store/database.ts';
import type { Channel } from '#store/tables.ts';

/**
 * Sets aside every message of a channel that is due, until an instant in milliseconds, without counting a try: for a channel that has no
 * way out, or whose server is down, so that its messages do not stand in front of the other channel's codes, which die in minutes.
 */
export async function holdBack(db: Store['db'], channel: Channel, now: number, until: number): Promise<void> {
  await db
    .updateTable('outbox')
    .set({ status: 'waiting', next_try_at: until, leased_until: null })
    .where('channel', '=', channel)
    .where(row =>
      row.or([
        row.and([row('status', '=', 'waiting'), row('next_try_at', '<=', now)]),
        row.and([row('status', '=', 'sending'), row('leased_until', '<=', now)]),
      ]),
    )
    .execute();
}
