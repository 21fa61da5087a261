import { Redis } from 'ioredis';

/** Tells every process that there is something new to read. It carries nothing: a lost or invented one does no harm. */
export type WakeUp = {
  publish(): void;
  onWake(listener: () => void): void;
  close(): Promise<void>;
  /** Whether what carries it cannot be reached at the moment. */
  away(): boolean;
};

const channel = 'services-portal:wake-up';

function listenerList() {
  const listeners: (() => void)[] = [];
  return {
    add: (listener: () => void) => {
      listeners.push(listener);
    },
    wake: () => {
      for (const listener of listeners) listener();
    },
  };
}

/** Wake-ups within this process; others on the same database find out by polling. */
export function inProcessWakeUp(): WakeUp {
  const listeners = listenerList();
  return { publish: listeners.wake, onWake: listeners.add, close: async () => {}, away: () => false };
}

/** Wake-ups through Redis. Nothing waits for it and nothing fails with it: without Redis, polling is what remains. */
export function redisWakeUp(url: string, onError: (error: unknown) => void = () => {}): WakeUp {
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
  subscriber.on('message', listeners.wake);
  // While it was away, messages may have been missed: the first thing after every subscription is to look.
  subscriber.on('ready', () => {
    away = false;
    void subscriber.subscribe(channel).then(listeners.wake, miss);
  });
  return {
    publish: () => void publisher.publish(channel, '').catch(miss),
    onWake: listeners.add,
    away: () => subscriber.status !== 'ready',
    async close() {
      publisher.disconnect();
      subscriber.disconnect();
    },
  };
}

const retryStrategy = (times: number): number => Math.min(times * 50, 1_000);
