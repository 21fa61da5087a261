import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, test } from 'vitest';
import { append, appendedIn, type Heard } from '#store/activity.ts';
import { openStore } from '#store/database.ts';
import { startFeed } from '#store/feed.ts';
import { inProcessWakeUp, redisWakeUp, type WakeUp, wakeUpChannel } from '#store/wake-up.ts';
import { freePort } from '#tests/free-port.ts';
import { type RedisServer, startPostgres, startRedis } from '#tests/servers.ts';
import { start } from './stores.ts';

const change: Heard = { id: 7, kind: 'access-changed', organisation: 3, person: 42 };

const closing: (() => Promise<void>)[] = [];
const later = <T extends { close(): Promise<void> }>(thing: T): T => {
  closing.unshift(() => thing.close());
  return thing;
};
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

function counted(wakeUp: WakeUp) {
  const heard = { times: 0 };
  wakeUp.onWake(() => {
    heard.times += 1;
  });
  return heard;
}

async function redis(port?: number): Promise<RedisServer> {
  const server = await startRedis(port);
  closing.push(server.stop);
  return server;
}

/** Waits until what it publishes comes back to it: both its connections are up then. */
async function connected(wakeUp: WakeUp) {
  const heard = counted(wakeUp);
  const publish = () => {
    void wakeUp.publish([]);
    return heard.times;
  };
  // The first wake of a subscriber is its own: it may have missed something before.
  await expect.poll(publish, { timeout: 10_000 }).toBeGreaterThan(1);
  return heard;
}

describe('a wake-up in the process', () => {
  test('reaches every listener at once', () => {
    const wakeUp = inProcessWakeUp();
    const [first, second] = [counted(wakeUp), counted(wakeUp)];
    void wakeUp.publish([]);
    expect([first.times, second.times]).toEqual([1, 1]);
  });
});

describe('the feed', () => {
  test('tells at once what a wake-up brings, and counts it as seen when it has read it', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'portal-wake-'));
    closing.push(async () => rmSync(dir, { recursive: true }));
    const store = later(await openStore({ file: join(dir, 'portal.sqlite') }));
    const wakeUp = inProcessWakeUp();
    const feed = later(await startFeed(store, { pollMs: 3_600_000, wakeUp }));
    const told: number[] = [];
    feed.onEntry(({ id }) => void told.push(id));
    const written = await store.change(async tx => {
      await append(tx, { at: start, kind: 'access-changed', organisation: 3, person: 42 });
      return appendedIn(tx);
    });
    void wakeUp.publish(written);
    expect([told, feed.position()]).toEqual([[1], 0]);
    await feed.catchUp();
    expect([told, feed.position()]).toEqual([[1, 1], 1]);
    // An old one, and one that was made up.
    void wakeUp.publish([...written, { ...change, id: 9 }]);
    await feed.catchUp();
    expect([told, feed.position()]).toEqual([[1, 1, 9], 1]);
  });
});

describe('a wake-up through Redis', () => {
  test('reaches another process, and says in numbers alone what changed', async () => {
    const server = await redis();
    const told: string[] = [];
    const sender = later(redisWakeUp(server.url, 'portal'));
    const receiver = later(redisWakeUp(server.url, 'portal'));
    await Promise.all([connected(sender), connected(receiver)]);
    const socket = connect(server.port, '127.0.0.1', () => socket.write(`SUBSCRIBE ${wakeUpChannel('portal')}\r\n`));
    socket.on('data', data => told.push(data.toString()));
    await expect.poll(() => told.join('')).toContain('subscribe');
    const heard: Heard[] = [];
    receiver.onWake(entries => void heard.push(...entries));
    const entry = { ...change, at: start, actor: 1, session: null, service: 'efs', data: { names: 'Ann' } };
    void sender.publish([entry]);
    await expect.poll(() => heard).toEqual([change]);
    await expect.poll(() => told.join('')).toMatch(/\{"id":7,"kind":"access-changed","organisation":3,"person":42\}\]\r\n$/);
    socket.destroy();
  });

  test('does not reach another installation on the same Redis', async () => {
    const server = await redis();
    const sender = later(redisWakeUp(server.url, 'portal'));
    const stranger = later(redisWakeUp(server.url, 'portal_test'));
    const receiver = later(redisWakeUp(server.url, 'portal'));
    await Promise.all([connected(sender), connected(stranger), connected(receiver)]);
    const heard: Heard[][] = [[], []];
    stranger.onWake(entries => void heard[0]!.push(...entries));
    receiver.onWake(entries => void heard[1]!.push(...entries));
    void sender.publish([change]);
    await expect.poll(() => heard[1]).toEqual([change]);
    // What the stranger says to itself comes after whatever else it was told.
    void stranger.publish([{ ...change, id: 8 }]);
    await expect.poll(() => heard[0]).toEqual([{ ...change, id: 8 }]);
  });

  test.each([
    ['nothing', ''],
    ['something else', 'constructor'],
    ['a kind that is none', JSON.stringify([{ ...change, kind: 'everything' }])],
    ['half an entry', JSON.stringify([{ id: 7, kind: 'access-changed' }])],
  ])('only wakes when it says %s', async (_what, message) => {
    const server = await redis();
    const receiver = later(redisWakeUp(server.url, 'portal'));
    await connected(receiver);
    const heard: (readonly Heard[])[] = [];
    receiver.onWake(entries => void heard.push(entries));
    const stranger = new Redis(server.url);
    await stranger.publish(wakeUpChannel('portal'), message);
    stranger.disconnect();
    await expect.poll(() => heard).toEqual([[]]);
  });

  test('neither throws nor waits without a Redis #103, and looks again as soon as there is one', async () => {
    const port = await freePort();
    const faults: string[] = [];
    const wakeUp = later(redisWakeUp(`redis://127.0.0.1:${port}`, 'portal', fault => faults.push(String(fault))));
    const heard = counted(wakeUp);
    for (let time = 0; time < 100; time += 1) void wakeUp.publish([]);
    await expect.poll(() => faults).toEqual([expect.stringMatching(/^Error: Redis cannot be reached: /)]);
    expect(heard.times).toBe(0);
    const server = await redis(port);
    await expect.poll(() => heard.times, { timeout: 10_000 }).toBe(1);
    await server.stop();
    void wakeUp.publish([]);
    await redis(port);
    await expect.poll(() => heard.times, { timeout: 10_000 }).toBe(2);
    // Once for each time that it was away, however often it was asked for.
    expect(faults).toHaveLength(2);
  });

  test('waits for a Redis that has it, and not for long for one that says nothing', async () => {
    const server = await redis();
    const sender = later(redisWakeUp(server.url, 'portal'));
    await connected(sender);
    server.signal('SIGSTOP');
    const began = performance.now();
    let answered = false;
    const published = sender.publish([change]).then(() => {
      answered = true;
    });
    await new Promise(resolve => setImmediate(resolve));
    expect(answered).toBe(false);
    await published;
    // A command is given up after 500 ms.
    expect(performance.now() - began).toBeLessThan(450);
    server.signal('SIGCONT');
  });

  test('brings a change of one process to another that does not poll', async () => {
    const postgres = await startPostgres();
    closing.push(postgres.stop);
    const server = await redis();
    const url = await postgres.freshDatabase();
    const sender = later(redisWakeUp(server.url, 'portal'));
    const writing = later(await openStore({ url }, { onChanged: async made => sender.publish(appendedIn(made)) }));
    const receiver = later(redisWakeUp(server.url, 'portal'));
    const reading = later(await openStore({ url }));
    await Promise.all([connected(sender), connected(receiver)]);
    const feed = later(await startFeed(reading, { pollMs: 3_600_000, wakeUp: receiver }));
    const seen = new Promise<number>(resolve => feed.onEntry(({ id }) => resolve(id)));
    await writing.change(tx => append(tx, { at: start, kind: 'access-changed' }));
    expect(await seen).toBe(1);
  });
});
