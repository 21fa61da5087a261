import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { wakeUpChannel } from '#store/wake-up.ts';
import { asAdministrator, idOf, innovations, newestCode } from '#tests/admin-ui-steps.ts';
import { type Browser, createBrowser } from '#tests/app.ts';
import { type Fleet, type Member, startFleet } from '#tests/fleet.ts';
import { freePort } from '#tests/free-port.ts';
import { long } from '#tests/long.ts';
import { type Postgres, type RedisServer, startPostgres, startRedis } from '#tests/servers.ts';
import { visit } from '#tests/visits.ts';

// Two processes, and a Redis that is everything but there. What must not be lost is in the database; Redis only wakes.
const RESTARTS = long ? 20 : 4;
const patience = { timeout: 60_000, interval: 20 };
// 1.1 s are promised when nothing wakes; the rest is for a machine with much else to do.
const UNWOKEN_MS = long ? 1_100 : 5_000;

let postgres: Postgres;
let redis: RedisServer | undefined;
const closing: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  postgres = await startPostgres();
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(() => postgres.stop());

/** Two processes that look for Redis on a port where there is none yet. */
async function startWithoutRedis(settings: Record<string, string> = {}): Promise<{ at: Fleet; port: number }> {
  const port = await freePort();
  const at = await startFleet(2, {
    DATABASE_URL: await postgres.freshDatabase(),
    REDIS_URL: `redis://127.0.0.1:${port}`,
    ...settings,
  });
  closing.push(at.stop, async () => redis?.stop());
  return { at, port };
}

/** The other client's view of Redis: what is published, what is kept, and which start of the server this is. */
async function observe(port: number) {
  const client = createClient({ url: `redis://127.0.0.1:${port}`, socket: { reconnectStrategy: 20 } });
  const listener = client.duplicate();
  for (const one of [client, listener]) one.on('error', () => {});
  const heard: string[] = [];
  await Promise.all([client.connect(), listener.connect()]);
  await listener.pSubscribe(wakeUpChannel('*'), message => void heard.push(message));
  closing.push(async () => {
    client.destroy();
    listener.destroy();
  });
  return {
    heard,
    keys: () => client.dbSize(),
    run: async () => /run_id:(\w+)/.exec(await client.info('server'))?.[1],
  };
}

type Person = { page: string; headers: { host: string; cookie: string } };

async function personOf(at: Fleet, userId: string): Promise<Person> {
  const { host, cookie } = await visit(at, userId);
  return { page: `${at.portal}${innovations}/people/${await idOf(at, userId)}`, headers: { host, cookie } };
}

/** When "Save changes" was answered, and how long that took. */
async function save(admin: Browser, { page }: Person, services: string[]): Promise<{ at: number; tookMs: number }> {
  const form = await admin.get(page);
  const began = performance.now();
  const answer = await admin.submit(page, form, { services }, { follow: false });
  expect(answer.status).toBe(303);
  return { at: performance.now(), tookMs: performance.now() - began };
}

const asks = (member: Member, person: Person, path = '/trailblazer/') => member.ask(path, person.headers);
const everywhere = (at: Fleet, person: Person) => Promise.all(at.members.map(member => asks(member, person)));

/** Takes a right away; the process that saved refuses at once, the other before the time is up. Then gives it back. Returns how long the answer took. */
async function takeAndGive(at: Fleet, admin: Browser, person: Person): Promise<number> {
  const [own, other] = at.members as [Member, Member];
  const saved = await save(admin, person, []);
  expect(await asks(own, person)).toBe(403);
  for (;;) {
    const began = performance.now();
    if ((await asks(other, person)) !== 200) break;
    expect(began - saved.at).toBeLessThan(UNWOKEN_MS);
  }
  await save(admin, person, ['trailblazer']);
  await expect.poll(() => everywhere(at, person), patience).toEqual([200, 200]);
  return saved.tookMs;
}

/** Requests of a signed-in person to a page that nobody gives or takes from them, at every process, for as long as it is not ended. */
function keepAsking(at: Fleet, person: Person) {
  const answers = new Map<number, number>();
  let over = false;
  const asking = at.members.map(async member => {
    while (!over) {
      const status = await asks(member, person, '/efs/');
      answers.set(status, (answers.get(status) ?? 0) + 1);
    }
  });
  return async () => {
    over = true;
    await Promise.all(asking);
    return answers;
  };
}

const sayAnswers = (answers: Map<number, number>) => [...answers].map(([status, times]) => `${times} times ${status}`).join(', ');

async function setTheScene(at: Fleet) {
  const admin = await asAdministrator(at, 'JHOWEL12');
  const [ken, james] = [await personOf(at, 'KEN144'), await personOf(at, 'JHOWEL12')];
  await save(admin, ken, ['trailblazer']);
  await expect.poll(() => everywhere(at, ken), patience).toEqual([200, 200]);
  return { admin, ken, james };
}

async function signInWith(at: Fleet, { port }: Member, userId: string, password: string): Promise<string> {
  const browser = createBrowser(port);
  const page = await browser.get(`${at.portal}/sign-in`);
  return (await browser.submit(`${at.portal}/sign-in`, page, { user_id: userId, password })).body;
}

/** An administrator who is asked for a code that somebody else reads. */
async function startGuessing(at: Fleet) {
  const browser = await at.signIn('HMARSH3');
  const send = async (path: string, fields: Record<string, string>) =>
    browser.submit(at.portal + path, await browser.get(at.portal + path), fields);
  await send('/security-phone', { phone: '07700 900982' });
  const code = await newestCode(at);
  return { code, isIn: async (digits: string) => !(await send('/security-code', { code: digits })).url.includes('/security-code') };
}

/** Redis is in use again: what is saved wakes whoever listens. */
async function expectWoken(at: Fleet, admin: Browser, ken: Person, heard: string[]): Promise<void> {
  heard.length = 0;
  const wakes = async () => {
    await takeAndGive(at, admin, ken);
    return heard.length;
  };
  await expect.poll(wakes, patience).toBeGreaterThan(0);
  // Numbers alone: whatever else knows of this channel learns nobody's name.
  for (const message of heard)
    expect(message).toMatch(/^\[(?:\{"id":\d+,"kind":"[a-z-]+","organisation":(?:\d+|null),"person":(?:\d+|null)\},?)+\]$/);
}

test(
  `restarted empty ${RESTARTS} times under load: no counter begins again, no session ends, no right stays [fault 6]`,
  async ({ annotate }) => {
    const { at, port } = await startWithoutRedis({ SIGN_IN_TRIES: String(RESTARTS), CODE_TRIES: String(RESTARTS) });
    redis = await startRedis(port);
    const { admin, ken, james } = await setTheScene(at);
    const observer = await observe(port);
    const guessing = await startGuessing(at);
    const [stopAsking, stopTrying] = [keepAsking(at, james), keepAsking(at, ken)];
    for (let restart = 0; restart < RESTARTS; restart += 1) {
      const before = await observer.run();
      await redis.stop();
      await takeAndGive(at, admin, ken);
      redis = await startRedis(port);
      await expect.poll(observer.run, patience).not.toBe(before);
      const member = at.members[restart % 2]!;
      expect(await signInWith(at, member, 'BEN155', 'wrong')).not.toContain('Hello Ben');
      expect(await guessing.isIn(guessing.code === '000000' ? '000001' : '000000')).toBe(false);
      await expectWoken(at, admin, ken, observer.heard);
      expect(await observer.keys()).toBe(0);
    }
    const [answers, refusals] = [await stopAsking(), await stopTrying()];
    const said = `${RESTARTS} restarts of Redis: ${sayAnswers(answers)} for whoever may see the page, ${sayAnswers(refusals)} for whoever may not`;
    console.log(said);
    await annotate(said, 'seen');
    expect([...answers.keys()]).toEqual([200]);
    expect([...refusals.keys()]).toEqual([403]);
    for (const member of at.members) expect(await signInWith(at, member, 'BEN155', 'walnut-ladder-155')).not.toContain('Hello Ben');
    expect(await guessing.isIn(guessing.code)).toBe(false);
  },
  long ? 1_800_000 : 300_000,
);

test('not there at the start, gone, or silent: nothing waits for it, and it is used again when it is back [fault 3] [fault 4]', async () => {
  const { at, port } = await startWithoutRedis();
  const { admin, ken, james } = await setTheScene(at);
  const stopAsking = keepAsking(at, james);
  await takeAndGive(at, admin, ken);
  redis = await startRedis(port);
  const observer = await observe(port);
  await expectWoken(at, admin, ken, observer.heard);

  await redis.stop();
  await takeAndGive(at, admin, ken);
  redis = await startRedis(port);
  await expectWoken(at, admin, ken, observer.heard);

  redis.signal('SIGSTOP');
  const answers: number[] = [];
  for (let time = 0; time < 5; time += 1) answers.push(await takeAndGive(at, admin, ken));
  redis.signal('SIGCONT');
  // A wake-up is given up after 500 ms: an answer that waited for it could not be sooner.
  expect(Math.min(...answers)).toBeLessThan(450);
  await expectWoken(at, admin, ken, observer.heard);
  expect([...(await stopAsking()).keys()]).toEqual([200]);
}, 300_000);
