import { type Heard, hearAfter, latest } from './activity.ts';
import type { Store } from './database.ts';
import type { WakeUp } from './wake-up.ts';

export type FeedOptions = { pollMs?: number; wakeUp: WakeUp; onError?: (error: unknown) => void };
export type EntryListener = (entry: Heard) => void;
export type Feed = {
  /** The id of the last entry every listener has seen. */
  position(): number;
  /** Resolves when everything committed before this call has been seen by every listener; rejects when it cannot be read. */
  catchUp(): Promise<void>;
  /** Milliseconds, by the monotonic clock, since the last good read of the log began. */
  staleFor(): number;
  /** Hears of every entry, in order, and may have heard of it before. Returns how to stop hearing of them. */
  onEntry(listener: EntryListener): () => void;
  close(): Promise<void>;
};

const pageSize = 500;
// A second is what is promised of every change; half of it is for a processor that has much else to do.
const halfOfASecond = 500;

/**
 * Follows the activity from its present end: reads on every wake-up, and every `pollMs` whether or not one comes. What a wake-up brings
 * is told at once, and counts for nothing: only what was read has been seen.
 */
export async function startFeed(
  store: Pick<Store, 'db'>,
  { pollMs = halfOfASecond, wakeUp, onError = () => {} }: FeedOptions,
): Promise<Feed> {
  const listeners = new Set<EntryListener>();
  let goodReadBegan = performance.now();
  let position = await latest(store.db);
  let closed = false;

  function tell(entry: Heard) {
    for (const listener of listeners) {
      try {
        listener(entry);
      } catch (error) {
        onError(error);
      }
    }
  }

  function see(entry: Heard) {
    tell(entry);
    position = entry.id;
  }

  async function read() {
    for (;;) {
      const began = performance.now();
      const entries = await hearAfter(store.db, position, pageSize);
      entries.forEach(see);
      if (entries.length < pageSize) {
        goodReadBegan = began;
        return;
      }
    }
  }

  const catchUp = singleFlight(read);
  const look = () => {
    if (!closed) catchUp().catch(onError);
  };
  wakeUp.onWake(entries => {
    if (closed) return;
    for (const entry of entries) if (entry.id > position) tell(entry);
    look();
  });
  const timer = setInterval(look, pollMs);
  return {
    position: () => position,
    catchUp,
    staleFor: () => performance.now() - goodReadBegan,
    onEntry(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async close() {
      closed = true;
      clearInterval(timer);
      // Only to let a read under way end before the store is closed; what it brings no longer matters.
      await catchUp().catch(() => {});
    },
  };
}

/** One run at a time. Who asks during a run gets the next one, since the present one may have read already what they wait for. */
function singleFlight(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null;
  let next: Promise<void> | null = null;
  const start = () => {
    running = run().finally(() => {
      running = null;
    });
    return running;
  };
  return () => {
    if (next) return next;
    if (!running) return start();
    next = running
      .catch(() => {})
      .then(() => {
        next = null;
        return start();
      });
    return next;
  };
}
