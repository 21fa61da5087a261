import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { z } from 'zod';
import { activityKinds, type Heard } from './activity.ts';

/**
 * Tells every process that there is something new to read, and what it will find there, so that nobody is let in while it is being
 * read. A lost one does no harm, and neither does an invented one: what it names is read again, and is what the database says.
 */
export type WakeUp = {
  /** Never rejects; resolves once it has been sent on, and after 50 ms in any case. */
  publish(entries: readonly Heard[]): Promise<void>;
  onWake(listener: (entries: readonly Heard[]) => void): void;
  close(): Promise<void>;
  /** Whether what carries it cannot be reached at the moment. */
  away(): boolean;
};

// As long as others may go on judging by what was before: whoever is answered then has waited for no less than that.
const patienceMs = 50;
// A change of more is found by reading, which takes no longer then.
const mostEntries = 100;
const id = z.int().positive();
const messageShape = z.array(z.object({ id, kind: z.enum(activityKinds), organisation: id.nullable(), person: id.nullable() }));

/** Two installations may share one Redis, and it keeps their databases apart but not their messages. */
export const wakeUpChannel = (database: string): string => `services-portal:wake-up:${database}`;

/** Numbers alone, no names. */
const write = (entries: readonly Heard[]): string =>
  entries.length > mostEntries
    ? ''
    : JSON.stringify(entries.map(({ id, kind, organisation, person }) => ({ id, kind, organisation, person })));

/** Nothing, if it is not one of ours: then it only wakes. */
function read(message: string): Heard[] {
  try {
    return messageShape.parse(JSON.parse(message));
  } catch {
    return [];
  }
}

function listenerList() {
  const listeners: ((entries: readonly Heard[]) => void)[] = [];
  return {
    add: (listener: (entries: readonly Heard[]) => void) => {
      listeners.push(listener);
    },
    wake: (entries: readonly Heard[]) => {
      for (const listener of listeners) listener(entries);
    },
  };
}

/** Wake-ups within this process; others on the same database find out by polling. */
export function inProcessWakeUp(): WakeUp {
  const listeners = listenerList();
  return { publish: async entries => listeners.wake(entries), onWake: listeners.add, close: async () => {}, away: () => false };
}

/**
 * Wake-ups through Redis between all who work on the database of that name. Nothing waits for it for long and nothing fails with it:
 * without Redis, polling is what remains.
 */
export function redisWakeUp(url: string, database: string, onError: (error: unknown) => void = () => {}): WakeUp {
  const channel = wakeUpChannel(database);
  const listeners = listenerList();
  // ioredis' defaults keep commands waiting for as long as the server is away.
  const publisher = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    connectTimeout: 500,
    commandTimeout: 500,
    retryStrategy,
  });
  const subscriber = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: null,
    connectTimeout: 500,
    autoResubscribe: false,
    retryStrategy,
  });
  // Both connections try again and again, so once is enough for each time that it goes away.
  let away = false;
  const miss = (cause: unknown) => {
    if (!away)
      onError(new Error('Redis cannot be reached: until it is back, changes of other processes are found by asking for them', { cause }));
    away = true;
  };
  publisher.on('error', miss);
  subscriber.on('error', miss);
  subscriber.on('message', (_channel, message) => listeners.wake(read(message)));
  // While it was away, messages may have been missed: the first thing after every subscription is to look.
  subscriber.on('ready', () => {
    away = false;
    void subscriber.subscribe(channel).then(() => listeners.wake([]), miss);
  });
  return {
    async publish(entries) {
      const sent = publisher.publish(channel, write(entries)).catch(miss);
      await Promise.race([sent, pause(patienceMs, undefined, { ref: false })]);
    },
    onWake: listeners.add,
    away: () => subscriber.status !== 'ready',
    async close() {
      publisher.disconnect();
      subscriber.disconnect();
    },
  };
}

const retryStrategy = (times: number): number => Math.min(times * 50, 1_000);
