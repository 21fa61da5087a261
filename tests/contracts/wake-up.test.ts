import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { append } from '#store/activity.ts';
import { openStore } from '#store/database.ts';
import { startFeed } from '#store/feed.ts';
import { inProcessWakeUp, redisWakeUp, type WakeUp } from '#store/wake-up.ts';
import { freePort } from '#tests/free-port.ts';
import { type RedisServer, startPostgres, startRedis } from '#tests/servers.ts';
import { start } from './stores.ts';

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
    wakeUp.publish();
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
    wakeUp.publish();
    expect([first.times, second.times]).toEqual([1, 1]);
  });
});

describe('a wake-up through Redis', () => {
  test('reaches another process, and carries nothing', async () => {
    const server = await redis();
    const told: string[] = [];
    const sender = later(redisWakeUp(server.url));
    const receiver = later(redisWakeUp(server.url));
    await Promise.all([connected(sender), connected(receiver)]);
    const socket = connect(server.port, '127.0.0.1', () => socket.write('SUBSCRIBE services-portal:wake-up\r\n'));
    socket.on('data', data => told.push(data.toString()));
    await expect.poll(() => told.join('')).toContain('subscribe');
    const heard = counted(receiver);
    sender.publish();
    await expect.poll(() => heard.times).toBeGreaterThan(0);
    await expect.poll(() => told.join('')).toMatch(/message\r\n\$23\r\nservices-portal:wake-up\r\n\$0\r\n\r\n$/);
    socket.destroy();
  });

  test('neither throws nor waits without a Redis #103, and looks again as soon as there is one', async () => {
    const port = await freePort();
    const faults: string[] = [];
    const wakeUp = later(redisWakeUp(`redis://127.0.0.1:${port}`, fault => faults.push(String(fault))));
    const heard = counted(wakeUp);
    for (let time = 0; time < 100; time += 1) wakeUp.publish();
    await expect.poll(() => faults).toEqual([expect.stringMatching(/^Error: Redis cannot be reached: /)]);
    expect(heard.times).toBe(0);
    const server = await redis(port);
    await expect.poll(() => heard.times, { timeout: 10_000 }).toBe(1);
    await server.stop();
    wakeUp.publish();
    await redis(port);
    await expect.poll(() => heard.times, { timeout: 10_000 }).toBe(2);
    // Once for each time that it was away, however often it was asked for.
    expect(faults).toHaveLength(2);
  });

  test('brings a change of one process to another that does not poll', async () => {
    const postgres = await startPostgres();
    closing.push(postgres.stop);
    const server = await redis();
    const url = await postgres.freshDatabase();
    const sender = later(redisWakeUp(server.url));
    const writing = later(await openStore({ url }, { onChanged: async () => sender.publish() }));
    const receiver = later(redisWakeUp(server.url));
    const reading = later(await openStore({ url }));
    await Promise.all([connected(sender), connected(receiver)]);
    const feed = later(await startFeed(reading, { pollMs: 3_600_000, wakeUp: receiver }));
    const seen = new Promise<number>(resolve => feed.onEntry(({ id }) => resolve(id)));
    await writing.change(tx => append(tx, { at: start, kind: 'access-changed' }));
    expect(await seen).toBe(1);
  });
});
