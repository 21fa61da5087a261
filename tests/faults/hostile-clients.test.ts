import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { httpsHeaders, type Installed, startInstalled } from '#tests/installed.ts';
import { startServer } from '#tests/legacy-wire.ts';
import { ask } from '#tests/raw-http.ts';
import type { Count, Kind, Orders } from './hostile-crowd.ts';

const MEGABYTE = 1_000_000;
const ALL = 10_000;
/** Of every hundred. */
const SHARES: Record<Kind, number> = {
  'say nothing': 20,
  'stop in the first line': 15,
  'stop in the headers': 10,
  'send headers byte by byte': 10,
  'ask once and stay': 30,
  'send a body byte by byte': 5,
  'ask and never read': 2,
  'ask far in advance': 2,
  'ask and go on with rubbish': 3,
  'send rubbish': 3,
};
const NEVER_ASKED: Kind[] = ['say nothing', 'stop in the first line', 'stop in the headers', 'send headers byte by byte'];

const page = Buffer.from('<!doctype html><title>Trailblazer</title><p>Plans for outdoor learning.</p>'.padEnd(2_000, '\n'));
const big = Buffer.alloc(4_000_000, 'x');

let legacy: Awaited<ReturnType<typeof startServer>>;
let installed: Installed;
let crowd: ChildProcess;

beforeAll(async () => {
  legacy = await startServer((request, response) => {
    if (request.url?.endsWith('big')) response.end(big);
    else request.resume().once('end', () => response.end(page));
  });
  installed = await startInstalled(legacy.origin);
  crowd = fork(fileURLToPath(new URL('hostile-crowd.ts', import.meta.url)));
});
afterAll(async () => {
  crowd.kill('SIGKILL');
  await installed.close();
  await legacy.close();
});

/** Node takes all that the system gives; where that is less than the crowd needs, a smaller crowd comes. */
function sizeOfCrowd(): number {
  const limit = Number(/^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? ALL);
  return Math.min(ALL, limit - 1_000);
}

const residentBytes = () => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${installed.gateway.pid}/status`, 'utf8'))?.[1]) * 1024;

async function tellCrowd<Answer>(message: Orders | 'count'): Promise<Answer> {
  const answer = once(crowd, 'message');
  crowd.send(message);
  return (await answer)[0] as Answer;
}

/** Somebody who is signed in and asks for a page twenty times a second, each time on a connection of its own. */
function askLikeAnybody() {
  const { port, host, cookie } = installed;
  const waits: number[] = [];
  const failures: string[] = [];
  const asked: Promise<void>[] = [];
  const one = async () => {
    const began = performance.now();
    const { status, body } = await ask(port, { target: '/trailblazer/', host, headers: [...httpsHeaders, ['Cookie', cookie]] });
    waits.push(performance.now() - began);
    if (status !== 200 || !body.includes('Trailblazer')) failures.push(`${status} ${body.slice(0, 100)}`);
  };
  const timer = setInterval(() => asked.push(one().catch(error => void failures.push(String(error)))), 50);
  return async () => {
    clearInterval(timer);
    await Promise.all(asked);
    return { failures, count: waits.length, p99: waits.sort((a, b) => a - b)[Math.floor(waits.length * 0.99)]! };
  };
}

/** How many are left of those that have never asked for anything. */
async function neverAsked(): Promise<number> {
  const count = await tellCrowd<Count>('count');
  expect(count['ask once and stay'].left).toBeGreaterThan(count['ask once and stay'].came * 0.9);
  return NEVER_ASKED.reduce((sum, kind) => sum + count[kind].left, 0);
}

test('ten thousand who mean harm, and one who does not [fault 17]', async () => {
  const all = sizeOfCrowd();
  const counts = Object.fromEntries(Object.entries(SHARES).map(([kind, share]) => [kind, Math.round((all * share) / 100)]));
  // What this machine does to anybody while nobody means harm is not the crowd's doing.
  const calm = askLikeAnybody();
  await new Promise(resolve => setTimeout(resolve, 3_000));
  const { p99: usual } = await calm();

  const before = residentBytes();
  const busy = askLikeAnybody();
  await tellCrowd({ port: installed.port, host: installed.host, openPage: '/education/hias/moodle/', counts: counts as Orders['counts'] });
  const growth = residentBytes() - before;
  await expect.poll(neverAsked, { timeout: 60_000, interval: 500 }).toBe(0);
  const { failures, count, p99 } = await busy();
  console.log(`${all} came: p99 ${Math.round(p99)} ms (before ${Math.round(usual)}) of ${count}, ${Math.round(growth / MEGABYTE)} MB more`);

  expect(failures).toEqual([]);
  expect(p99).toBeLessThan(1_000 + 5 * usual);
  expect(growth).toBeLessThan(300 * MEGABYTE);
  expect(installed.gateway.exitCode).toBeNull();
});
