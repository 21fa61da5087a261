import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createBrowser } from '#tests/app.ts';
import { type Env, run } from '#tests/command-line-steps.ts';
import { freePort } from '#tests/free-port.ts';
import { startGateway, stopGateway } from '#tests/gateway-process.ts';
import { ask } from '#tests/raw-http.ts';
import { type Postgres, startPostgres } from '#tests/servers.ts';

const WORKERS = 2;
const patience = { timeout: 120_000 };
// Each start is that of three processes.
vi.setConfig({ testTimeout: 300_000 });

let postgres: Postgres;
let dir = '';
let port = 0;
let env: Env = {};
let gateway: ChildProcess | null = null;
const portal = () => `http://portal.hants.localhost:${port}`;

beforeAll(async () => {
  postgres = await startPostgres();
  dir = mkdtempSync(join(tmpdir(), 'portal-workers-'));
  port = await freePort();
  const keys = { DATABASE_URL: await postgres.freshDatabase(), SESSION_KEYS: Buffer.alloc(32, 1).toString('base64') };
  env = { ...keys, PORT: String(port), DATA_DIR: join(dir, 'data'), WORKERS: String(WORKERS) };
});
afterAll(async () => {
  if (gateway) await stopGateway(gateway, 'SIGKILL');
  await postgres.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** The gateway that is running, or a new one when the last has ended. */
async function running(): Promise<ChildProcess> {
  if (gateway?.exitCode === null && gateway.signalCode === null) return gateway;
  gateway = await startGateway(env);
  expect(workers()).toHaveLength(WORKERS);
  return gateway;
}

/** The ids of the processes that the gateway has started. */
function workers(): number[] {
  const said = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,stat='], { encoding: 'utf8' });
  const all = said
    .trim()
    .split('\n')
    .map(line => line.trim().split(/\s+/));
  return all.filter(([, parent, state]) => Number(parent) === gateway?.pid && !state?.startsWith('Z')).map(([pid]) => Number(pid));
}

/** A request on a connection of its own, which any worker may take. */
const home = async () => (await ask(port, { target: '/sign-in', host: new URL(portal()).host })).status;

async function signIn() {
  const browser = createBrowser(port);
  const page = await browser.get(`${portal()}/sign-in`);
  const tiles = await browser.submit(`${portal()}/sign-in`, page, { user_id: 'KEN144', password: 'copper-kettle-144' });
  expect(tiles.body).toContain('Hello Ken');
  return [...(browser.cookies.get('portal.hants.localhost') ?? [])].map(([name, value]) => `${name}=${value}`).join('; ');
}

/** Asks each worker alone, the others being held still, whether it knows whose session that is. */
async function expectKnownToAll(cookie: string): Promise<void> {
  const all = workers();
  expect(all).toHaveLength(WORKERS);
  for (const asked of all) {
    const others = all.filter(pid => pid !== asked);
    for (const pid of others) process.kill(pid, 'SIGSTOP');
    const tiles = await ask(port, { target: '/', host: new URL(portal()).host, headers: [['Cookie', cookie]] });
    for (const pid of others) process.kill(pid, 'SIGCONT');
    expect(tiles.body).toContain('Hello Ken');
  }
}

test('once it says that it is ready, all workers answer, and a session is the same for each', async () => {
  await running();
  await expectKnownToAll(await signIn());
});

test('a worker that is killed is followed by another; requests go on, and nobody is signed out', async () => {
  await running();
  const cookie = await signIn();
  const [victim = 0, ...others] = workers();
  let done = false;
  const answers: number[] = [];
  const load = (async () => {
    while (!done) answers.push(await home());
  })();
  try {
    await expect.poll(() => answers.length, patience).toBeGreaterThan(WORKERS);
    process.kill(victim, 'SIGKILL');
    await expect.poll(workers, patience).not.toContain(victim);
    await expect.poll(workers, patience).toHaveLength(WORKERS);
    const before = answers.length;
    await expect.poll(() => answers.length, patience).toBeGreaterThan(before + 2 * WORKERS);
  } finally {
    done = true;
    await load;
  }
  expect(workers()).toEqual(expect.arrayContaining(others));
  expect(workers()).not.toContain(victim);
  // What it had in hand is cut off; everybody else is answered.
  expect(answers.filter(status => status !== 200).length).toBeLessThanOrEqual(1);
  // The newcomer answers too once it is ready.
  await expect.poll(() => expectKnownToAll(cookie).then(() => true), patience).toBe(true);
});

test('one that ends again and again is waited for longer and longer', async () => {
  await running();
  const pauses: number[] = [];
  for (let time = 0; time < 4; time += 1) {
    const before = workers();
    const newest = Math.max(...before);
    const killed = performance.now();
    process.kill(newest, 'SIGKILL');
    await expect.poll(() => workers().some(pid => !before.includes(pid)), { ...patience, interval: 10 }).toBe(true);
    pauses.push(performance.now() - killed);
  }
  // 0.1, 0.2, 0.4 and 0.8 seconds, and whatever the machine adds.
  for (const [time, least] of [100, 200, 400, 800].entries()) expect(pauses[time]).toBeGreaterThanOrEqual(least);
});

test.each(['the first process alone', 'every process at once, as a terminal or a service manager does'])('told to stop: %s', async who => {
  const child = await running();
  expect(await home()).toBe(200);
  const told = [...(who.startsWith('every') ? workers() : []), child.pid!];
  const exited = once(child, 'exit');
  for (const pid of told) process.kill(pid, 'SIGTERM');
  expect(await exited).toEqual([0, null]);
  expect(workers()).toEqual([]);
});

test('when the first process is killed, no worker stays behind', async () => {
  const child = await running();
  const left = workers();
  await stopGateway(child, 'SIGKILL');
  const alive = (pid: number) => {
    try {
      return !readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ');
    } catch {
      return false;
    }
  };
  await expect.poll(() => left.filter(alive), patience).toEqual([]);
});

test('a port that somebody else has ends all of it, and is named once', async () => {
  const taken = await freePort();
  const other = createServer().listen(taken, '127.0.0.1');
  const { code, err } = await run({ ...env, PORT: String(taken) }, 'gateway/main.ts');
  other.close();
  expect(code).toBe(1);
  expect(err.split('\n')).toEqual([
    expect.stringMatching(new RegExp(`^Port ${taken} is already in use: `)),
    'The gateway stops, because a worker ended before it was ready (exit code 1).',
    '',
  ]);
});

test('a port of a later worker that somebody else has is named with its own setting', async () => {
  const taken = await freePort();
  const other = createServer().listen(taken, '127.0.0.1');
  const { code, err } = await run({ ...env, PORT: String(await freePort()), OPERATIONS_PORT: String(taken - 1) }, 'gateway/main.ts');
  other.close();
  expect(code).toBe(1);
  expect(err).toContain(`Port ${taken} is already in use: stop the other program, or set OPERATIONS_PORT to another number.`);
});

test('without PostgreSQL it says so and does not start', async () => {
  const { code, err } = await run({ ...env, DATABASE_URL: '' }, 'gateway/main.ts');
  expect([code, err]).toEqual([1, expect.stringContaining('  WORKERS: several processes cannot share SQLite; set DATABASE_URL')]);
});
