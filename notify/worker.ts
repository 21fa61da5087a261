import type { Store } from '#store/database.ts';
import { type ClaimedMessage, claim, giveUpExpired, holdBack, markFailed, markSent } from '#store/outbox-queue.ts';
import type { Channel } from '#store/tables.ts';
import { RefusedForGood, type Transports } from './delivery.ts';
import type { Letterhead } from './letter.ts';
import { sendMessage } from './sending.ts';

const BATCH = 10;
// Longer than any transport tries, so that nobody else takes up a message that is still on its way.
const LEASE_MS = 60_000;
const HOLD_MS = 10_000;

export type WorkerDeps = {
  store: Store;
  transports: Transports;
  /** As it is at the moment of sending. */
  letterhead(): Letterhead;
  /** Newest first: what was sealed before a change of keys must be sent after it. */
  sealKeys: readonly Uint8Array[];
  now: () => number;
  everyMs: number;
  log: { warn(fields: object, message: string): void };
};
export type Worker = {
  /** Sends everything that is due, including what was written just before the call. Never rejects. */
  deliverNow(): Promise<void>;
  /** Lets the messages on their way arrive, then closes the transports. */
  close(): Promise<void>;
};

type Outcome = { channel: Channel; result: 'sent' | 'refused' | 'not-now' };

/** Starts the outbox worker: it looks for due messages every `everyMs` and whenever `deliverNow` is called, one pass at a time. */
export function startWorker(deps: WorkerDeps): Worker {
  let running: Promise<void> | null = null;
  let again = false;
  let closed = false;

  async function run(): Promise<void> {
    do {
      again = false;
      await deliverDue(deps, () => closed).catch((error: unknown) =>
        deps.log.warn({ err: error }, 'the outbox could not be read or written'),
      );
    } while (again && !closed);
    running = null;
  }

  function deliverNow(): Promise<void> {
    if (closed) return running ?? Promise.resolve();
    // A pass under way may have read the outbox before the caller's message was in it.
    if (running) again = true;
    else running = run();
    return running;
  }

  const timer = setInterval(() => void deliverNow(), deps.everyMs);
  timer.unref();
  return {
    deliverNow,
    async close() {
      closed = true;
      clearInterval(timer);
      await running;
      deps.transports.email?.close();
      deps.transports.text?.close();
    },
  };
}

async function deliverDue(deps: WorkerDeps, closed: () => boolean): Promise<void> {
  const { store, transports, now } = deps;
  for (const { id, ...message } of await giveUpExpired(store.db, now()))
    deps.log.warn({ message: id, ...message, status: 'failed' }, 'a message was not sent before it expired');
  for (const channel of ['email', 'text'] as const) {
    if (transports[channel] === null) await holdBack(store.db, channel, now(), now() + HOLD_MS);
  }
  while (!closed()) {
    const batch = await claim(store.db, now(), BATCH, LEASE_MS);
    if (batch.length === 0) return;
    const outcomes = await Promise.all(batch.map(message => deliver(message, deps)));
    for (const channel of ['email', 'text'] as const) {
      if (isDown(channel, outcomes)) await holdBack(store.db, channel, now(), now() + HOLD_MS);
    }
  }
}

/** A channel by which nothing got through is left alone for a while, rather than tried once for every message that waits for it. */
function isDown(channel: Channel, outcomes: readonly Outcome[]): boolean {
  const tried = outcomes.filter(outcome => outcome.channel === channel);
  return tried.length > 0 && tried.every(({ result }) => result === 'not-now');
}

async function deliver(message: ClaimedMessage, deps: WorkerDeps): Promise<Outcome> {
  const { store, now } = deps;
  const { channel } = message;
  const error = await sendMessage(message, { ...deps, letterhead: deps.letterhead() }).then(
    () => null,
    (reason: Error) => reason,
  );
  if (error === null) {
    await markSent(store.db, message, now());
    return { channel, result: 'sent' };
  }
  const refused = error instanceof RefusedForGood;
  const status = await markFailed(store.db, message, now(), error.message, refused);
  const fields = { message: message.id, template: message.template, channel, tries: message.tries, status };
  deps.log.warn(fields, `a message was not sent: ${error.message}`);
  return { channel, result: refused ? 'refused' : 'not-now' };
}
