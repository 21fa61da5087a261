import { afterAll, beforeAll, expect, test } from 'vitest';
import { openOperations } from '#gateway/observing.ts';
import type { Operations } from '#gateway/operations.ts';
import { fixedCatalogue } from '#gateway/reload.ts';
import { enqueue } from '#store/outbox.ts';
import { redisWakeUp, type WakeUp } from '#store/wake-up.ts';
import { startApp, type TestApp } from '#tests/app.ts';
import { freePort } from '#tests/free-port.ts';
import { ask } from '#tests/raw-http.ts';
import { holdStore, hostOf, visit } from '#tests/visits.ts';

let app: TestApp;
let port: number;
let operations: Operations;

/** The listener beside a gateway in this process, as `main.ts` opens it. */
async function open(redis: WakeUp | null = null): Promise<{ port: number; operations: Operations }> {
  const where = { port: await freePort(), host: '127.0.0.1' };
  const made = await openOperations({
    settings: { ...app.settings, operations: where, redisUrl: redis && 'redis://127.0.0.1' },
    installation: redis ? { ...app.installation, wakeUp: redis } : app.installation,
    serving: app.app,
    reloading: fixedCatalogue({ catalogue: app.catalogue, checksum: 'c0ffee' }, () => app.clock.now),
    accessLog: null,
    slot: 0,
    now: () => app.clock.now,
  });
  return { port: where.port, operations: made };
}

beforeAll(async () => {
  app = await startApp({ env: { MAX_STALENESS: '2' } });
  ({ port, operations } = await open());
});
afterAll(async () => {
  await operations.close();
  await app.close();
});

const get = (path: string, on = port) => ask(on, { target: path, host: 'operations' });
const readiness = async (on = port) => {
  const { status, body } = await get('/readyz', on);
  return { status, ...JSON.parse(body) };
};

/** The lines of one metric, by their labels; without labels under the empty text. */
async function metric(name: string, on = port): Promise<Record<string, number>> {
  const { body } = await get('/metrics', on);
  const lines = body.matchAll(new RegExp(`^${name}(?:{(.*)})? (\\S+)$`, 'gm'));
  return Object.fromEntries([...lines].map(([, labels = '', value]) => [labels, Number(value)]));
}

test('it lives, is ready, and says how each part is', async () => {
  expect(await get('/healthz')).toMatchObject({ status: 200, body: 'alive\n' });
  expect(await readiness()).toEqual({
    status: 200,
    ready: true,
    database: 'well',
    feed: expect.stringMatching(/^well, read \d+\.\d seconds ago$/),
  });
});

test('it answers nothing else, and the gateway itself answers none of it', async () => {
  for (const request of [{ target: '/' }, { target: '/metrics/x' }, { target: '/metrics', method: 'POST' }])
    expect((await ask(port, { host: 'operations', ...request })).status).toBe(404);
  for (const path of ['/healthz', '/readyz', '/metrics'])
    for (const name of ['portal', 'www3'] as const)
      expect([path, (await ask(app.port, { target: path, host: hostOf(app, name) })).status]).toEqual([path, 404]);
});

test('requests are counted by service and outcome, decisions by reason, answers by status', async () => {
  const { host, cookie } = await visit(app, 'JHOWEL12');
  const before = {
    requests: await metric('portal_requests_total'),
    decisions: await metric('portal_decisions_total'),
    answers: await metric('portal_answers_total'),
  };
  const go = (target: string, headers: [string, string][] = [['Cookie', cookie]]) => ask(app.port, { target, host, headers });
  expect((await go('/education/hias/')).status).toBe(200);
  expect((await go('/education/hias/')).status).toBe(200);
  expect((await go('/trailblazer/')).status).toBe(403);
  expect((await go('/education/hias/', [])).status).toBe(302);
  expect((await go('/nowhere')).status).toBe(404);

  const grown = async (name: keyof typeof before) => {
    const now = await metric(`portal_${name}_total`);
    return Object.fromEntries(
      Object.entries(now).flatMap(([labels, value]) => {
        const more = value - (before[name][labels] ?? 0);
        return more === 0 ? [] : [[labels, more]];
      }),
    );
  };
  const site = 'site="www3.hants.localhost"';
  expect(await grown('requests')).toEqual({
    [`${site},service="hias",outcome="allow"`]: 2,
    [`${site},service="hias",outcome="sign-in"`]: 1,
    [`${site},service="trailblazer",outcome="deny"`]: 1,
  });
  expect(await grown('decisions')).toEqual({
    [`${site},service="hias",reason="granted"`]: 2,
    [`${site},service="hias",reason="not-signed-in"`]: 1,
    [`${site},service="trailblazer",reason="no-grant"`]: 1,
  });
  expect(await grown('answers')).toEqual({
    [`${site},service="hias",status="2xx"`]: 2,
    [`${site},service="hias",status="3xx"`]: 1,
    [`${site},service="trailblazer",status="4xx"`]: 1,
    [`${site},service="",status="4xx"`]: 1,
  });
});

test('the page is in the format that Prometheus reads, and holds nothing of anybody', async () => {
  const { browser } = await visit(app, 'JHOWEL12');
  await browser.get(`http://${hostOf(app, 'www3')}/education/hias/secret-page?name=Jane`);
  const { header, body } = await get('/metrics');
  expect(header('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  for (const line of body.split('\n').filter(text => text !== '' && !text.startsWith('#')))
    expect(line).toMatch(/^[a-z_0-9]+(?:\{(?:[a-z_]+="[^"]*",?)*\})? (?:[-+.e\d]+|NaN)$/);
  expect(body).not.toMatch(/JHOWEL12|Howell|secret-page|Jane/i);
  for (const name of ['feed_lag_seconds', 'hashing_waiting', 'live_connections', 'upstream_up', 'catalogue_well', 'database_up'])
    expect(Object.keys(await metric(`portal_${name}`)), name).not.toEqual([]);
  expect(await metric('portal_catalogue_info')).toEqual({ 'checksum="c0ffee"': 1 });
});

test('messages that wait are seen with the age of the oldest', async () => {
  const message = { template: 'security-code', recipient: '+447700900123', data: {}, channel: 'text' as const };
  await app.store.change(tx => enqueue(tx, { ...message, now: app.clock.now - 90_000 }));
  const age = (await metric('portal_outbox_oldest_seconds'))['channel="text"'];
  expect(await metric('portal_outbox_waiting')).toEqual({ 'channel="email"': 0, 'channel="text"': 1 });
  expect(age).toBe(90);
});

test('a database that does not answer is named, and so is a feed that grows too old; afterwards all is well again', async () => {
  const store = await holdStore(app.store);
  await expect
    .poll(() => readiness(), { timeout: 10_000 })
    .toMatchObject({
      status: 503,
      ready: false,
      database: 'no answer in 2 seconds',
      feed: expect.stringMatching(/^too old/),
    });
  expect((await get('/healthz')).status).toBe(200);
  expect(await metric('portal_database_up')).toEqual({ '': 0 });
  await store.release();
  await expect.poll(() => readiness(), { timeout: 10_000 }).toMatchObject({ status: 200, ready: true, database: 'well' });
});

test('Redis that is away is told, and takes no gateway out of service: nothing is lost without it', async () => {
  const redis = redisWakeUp(`redis://127.0.0.1:${await freePort()}`, 'portal');
  const beside = await open(redis);
  expect(await readiness(beside.port)).toMatchObject({ status: 200, redis: 'away' });
  expect(await metric('portal_redis_up', beside.port)).toEqual({ '': 0 });
  expect(await metric('portal_redis_up')).toEqual({});
  await beside.operations.close();
  await redis.close();
});

test('a gateway that is about to stop says so while it lives', async () => {
  const beside = await open();
  void beside.operations.drain();
  expect(await readiness(beside.port)).toMatchObject({ status: 503, ready: false, stopping: true });
  expect((await get('/healthz', beside.port)).status).toBe(200);
  await beside.operations.close();
});
