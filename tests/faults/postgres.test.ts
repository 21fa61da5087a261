import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { createBrowser } from '#tests/app.ts';
import { type Fleet, startFleet } from '#tests/fleet.ts';
import { long } from '#tests/long.ts';
import { type Postgres, startPostgres } from '#tests/servers.ts';
import { type Cast, enterCast } from './cast.ts';
import { type Probe, sayProbe, startProbe } from './probe.ts';

// Two gateways on one PostgreSQL that is taken from them, while somebody who may and somebody who may not ask twenty times a second.
const MAX_STALENESS_SECONDS = 4;
const ROUNDS = long ? 5 : 1;
const CONNECTIONS = 30;
const POSTS = 30;
// The one lock of all writers (store/database.ts).
const CHANGE_LOCK = 7_345_190_226;
const patience = { timeout: 60_000, interval: 50 };
vi.setConfig({ testTimeout: 120_000 + ROUNDS * 60_000 });

let postgres: Postgres;
let url = '';
let fleet: Fleet;
let cast: Cast;
let probe: Probe;
beforeAll(async () => {
  postgres = await startPostgres('-c', `max_connections=${CONNECTIONS}`);
});
beforeEach(async () => {
  url = await postgres.freshDatabase();
  fleet = await startFleet(2, { DATABASE_URL: url, MAX_STALENESS: String(MAX_STALENESS_SECONDS) });
  cast = await enterCast(fleet);
  const ask = (path: string) => fleet.members.map(({ port }) => cast.asks(port, path));
  await expect.poll(() => statuses('/trailblazer/'), patience).toEqual([200, 200]);
  expect(await statuses('/efs/')).toEqual([403, 403]);
  probe = startProbe(ask('/trailblazer/'), ask('/efs/'));
});
afterEach(async () => {
  await postgres.resume();
  await probe.stop();
  await fleet.stop();
});
afterAll(() => postgres.stop());

/** What the person is answered by both processes. */
function statuses(path: string): Promise<number[]> {
  const headers = { host: cast.asks(0, path).host, cookie: cast.asks(0, path).headers[0]![1] };
  return Promise.all(fleet.members.map(member => member.ask(path, headers)));
}

/** The form of Ken's rights, opened while all is well and sent when it is not. */
async function openForm() {
  const form = await cast.admin.get(cast.page);
  return (services: string[]) => cast.admin.submit(cast.page, form, { services }, { follow: false });
}

const answersSince = (at: number) => probe.asked.filter(({ expected, at: began }) => expected === 'allowed' && began > at);

/** All is well again: known people, changes, and those who were not known. Returns the milliseconds that it took. */
async function recovery(): Promise<number> {
  const back = performance.now();
  await expect.poll(() => statuses('/trailblazer/'), patience).toEqual([200, 200]);
  const took = performance.now() - back;
  await expect.poll(async () => (await cast.save(['trailblazer', 'mopp'])).status, patience).toBe(303);
  await expect.poll(async () => (await cast.save(['trailblazer'])).status, patience).toBe(303);
  await fleet.signIn('BEN155');
  return took;
}

async function expectNothingWrong(annotate: (said: string, type: string) => unknown, what: string, recovered: number[]): Promise<void> {
  await probe.stop();
  const said = `${what}: ${sayProbe(probe)}, well again after ${Math.round(Math.max(...recovered))} ms`;
  console.log(said);
  await annotate(said, 'seen');
  expect(probe.wrongAllows()).toEqual([]);
  for (const { got } of probe.failures()) expect(got).toBe(503);
  expect(Math.max(...recovered)).toBeLessThan(long ? 5_000 : 30_000);
}

test('PostgreSQL stopped: known people go on until their rights may be out of date, changes are refused in words, and all comes back [fault 7]', async ({
  annotate,
}) => {
  const recovered: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const acknowledged = await cast.save(['trailblazer', 'mopp']);
    expect(acknowledged.status).toBe(303);
    // Both have read the rights again: what is not in memory when it stops is not known, and refused.
    await expect.poll(() => statuses('/hcc/eps/'), patience).toEqual([200, 200]);
    const save = await openForm();
    const stopped = performance.now();
    await postgres.crash();
    const [refused, signIn] = await Promise.all([save(['trailblazer']), createBrowser(fleet.port).get(`${fleet.portal}/sign-in`)]);
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '5']);
    expect(refused.body).toContain('Try again in a minute');
    expect(signIn.status).toBe(200);
    await expect.poll(() => answersSince(stopped).some(({ got }) => got === 503), patience).toBe(true);
    // By the processes' own clocks the last read began at most a second before it stopped.
    const inTime = answersSince(stopped).filter(({ at }) => at < stopped + (MAX_STALENESS_SECONDS - 1.5) * 1_000);
    expect(inTime.length).toBeGreaterThan(0);
    expect(inTime.filter(({ got }) => got !== 200)).toEqual([]);
    await expect.poll(() => statuses('/trailblazer/'), patience).toEqual([503, 503]);
    await postgres.resume();
    // What was answered is there, and what was refused is not.
    await expect.poll(() => statuses('/hcc/eps/'), patience).toEqual([200, 200]);
    recovered.push(await recovery());
  }
  await expectNothingWrong(annotate, 'PostgreSQL stopped', recovered);
});

test('every connection taken by others: known people go on, whatever needs the database is refused, and all comes back [fault 7]', async ({
  annotate,
}) => {
  const recovered: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const save = await openForm();
    const began = performance.now();
    const free = await takeEveryConnection();
    try {
      expect((await save(['mopp'])).status).toBe(503);
      await expect.poll(() => answersSince(began).some(({ got }) => got === 503), patience).toBe(true);
    } finally {
      await free();
    }
    recovered.push(await recovery());
  }
  await expectNothingWrong(annotate, 'every connection taken', recovered);
});

/** Ends the connections that are not ours and takes what is free then, until nobody else has one. Returns how to give all of them back. */
async function takeEveryConnection(): Promise<() => Promise<void>> {
  const ours: pg.Client[] = [];
  const others = async () => {
    const pids = ours.map(client => (client as unknown as { processID: number }).processID);
    const ended = `select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'client backend' and not pid = any($1)`;
    return (await ours[0]!.query(ended, [pids])).rows.length;
  };
  do await takeWhatIsFree(ours);
  while ((await others()) > 0);
  return async () => {
    await Promise.all(ours.map(client => client.end()));
  };
}

async function takeWhatIsFree(into: pg.Client[]): Promise<void> {
  while (into.length <= CONNECTIONS) {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => {});
    const refused = await client.connect().then(
      () => false,
      () => true,
    );
    if (refused) return;
    into.push(client);
  }
}

test('the lock of all writers held by somebody who hangs: those who wait are refused in bounded time, nobody else notices, and nothing is written [fault 7]', async ({
  annotate,
}) => {
  const save = await openForm();
  const holder = new pg.Client({ connectionString: url });
  await holder.connect();
  await holder.query(`begin; select pg_advisory_xact_lock(${CHANGE_LOCK})`);
  const began = performance.now();
  const posts = await Promise.all(Array.from({ length: POSTS }, () => save(['mopp'])));
  const took = performance.now() - began;
  // The process whose every change waits still hears of what has changed: nobody who only reads is refused.
  expect(answersSince(began).length).toBeGreaterThan(20);
  expect(probe.failures()).toEqual([]);
  await holder.query('rollback');
  await holder.end();
  expect(new Set(posts.map(({ status }) => status))).toEqual(new Set([503]));
  // A statement has ten seconds, whoever waits for a free connection five.
  expect(took).toBeLessThan(long ? 20_000 : 60_000);
  expect(await statuses('/hcc/eps/')).toEqual([403, 403]);
  const recovered = await recovery();
  await expectNothingWrong(annotate, `${POSTS} posts beside a held lock, refused after ${Math.round(took)} ms`, [recovered]);
});
