import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startInstalled } from '#tests/installed.ts';
import { figureOf } from './figures.ts';
import { start } from './processes.ts';
import { requestOf, talk } from './talk.ts';

/**
 * Whether a gateway grows with what it has never heard of: a real one in a process of its own, and request after request with another
 * cookie that opens nothing, another host, another organisation in the address, another header. Prints the memory that is its own
 * (PSS) during a warm-up with the same load and during each tenth of the rest, and what of it is left once garbage has been collected.
 */
const DIFFERENT = 100_000;
const CONNECTIONS = 50;
const SAMPLE_MS = 250;
const SETTLE_MS = 1_000;
const MIB = 1024;

/** What is asked for, six kinds in turn; within each, so many different ones, again and again. */
type Kind = (which: number) => { target: string; at?: string; cookie?: string };
const kinds: readonly Kind[] = [
  which => ({ target: '/trailblazer/', cookie: `__Host-portal=${sealLike(which)}` }),
  which => ({ target: '/trailblazer/', at: `host-${which}.example` }),
  which => ({ target: `/organisations/${which + 1_000}/people`, at: 'portal.hants.gov.uk', cookie: portalCookie }),
  which => ({ target: `/nothing-${which}/here` }),
  which => ({ target: '/trailblazer/', at: `${host.toUpperCase()}:${which % 65_536}`, cookie }),
  which => ({ target: `/trailblazer/${which}`, cookie }),
];

const { values } = parseArgs({ options: { requests: { type: 'string', default: '1000000' } } });
const requests = Number(values.requests);
if (!Number.isInteger(requests) || requests < 1_000) throw new Error('--requests must be a whole number, 1,000 or more');

const upstream = await start<{ port: number }>('upstream.ts', [], null);
const { gateway, port, host, cookie, portalCookie, close } = await startInstalled(`http://127.0.0.1:${upstream.ready.port}`, {
  // As the service unit has it.
  MALLOC_MMAP_THRESHOLD_: '1048576',
  NODE_OPTIONS: `--import=${import.meta.resolve('./collect.ts')}`,
});
try {
  await soak();
} finally {
  await close();
  await upstream.stop();
}

async function soak(): Promise<void> {
  const tenth = Math.ceil(requests / 10);
  console.log(`start: ${ownMemory().toFixed(1)} MiB`);
  await load(0, tenth);
  const figures: number[] = [];
  for (let part = 0; part <= 10; part += 1) {
    const began = performance.now();
    const { samples, statuses } = await sampled(() => load(tenth * (part + 1), tenth));
    const figure = figureOf(samples);
    const rate = Math.round(tenth / ((performance.now() - began) / 1000));
    const left = await collected();
    figures.push(left);
    const said = `${figure.median.toFixed(1)} MiB (${figure.min.toFixed(1)}–${figure.max.toFixed(1)}), ${left.toFixed(1)} collected, ${rate} requests/s`;
    console.log(`${part === 0 ? 'warm' : `${part * tenth} requests`}: ${said} ${JSON.stringify(statuses)}`);
  }
  const [warm, ...later] = figures as [number, ...number[]];
  const changed = [Math.min(...later), later.at(-1)!, Math.max(...later)].map(figure => (figure - warm).toFixed(1));
  console.log(`growth of what is left: ${changed[1]} MiB over ${tenth * 10} requests, ${changed[0]} to ${changed[2]} on the way`);
}

/** Proportional set size, in MiB: its own pages, and its share of those that other processes have as well. */
function ownMemory(): number {
  const [, kib] = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${gateway.pid}/smaps_rollup`, 'utf8')) ?? [];
  return Number(kib) / MIB;
}

/** What is left after two collections, the second for what was kept only until something else was collected. */
async function collected(): Promise<number> {
  for (let turns = 0; turns < 2; turns += 1) {
    gateway.kill('SIGURG');
    await setTimeout(SETTLE_MS);
  }
  return ownMemory();
}

async function sampled<T extends object>(work: () => Promise<T>): Promise<{ samples: number[]; statuses: T }> {
  const samples = [ownMemory()];
  const timer = setInterval(() => samples.push(ownMemory()), SAMPLE_MS);
  const statuses = await work();
  clearInterval(timer);
  return { samples: [...samples, ownMemory()], statuses };
}

/** As many requests over a few kept-alive connections, beginning with the one of that number. Returns how often each status came. */
async function load(first: number, count: number): Promise<Record<string, number>> {
  const statuses: Record<string, number> = {};
  let turn = first;
  const next = () => (turn < first + count ? numbered(turn++) : null);
  const answered = (status: string) => {
    statuses[status] = (statuses[status] ?? 0) + 1;
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, () => talk(port, { next, answered })));
  if (turn < first + count) throw new Error('every connection was ended');
  return statuses;
}

function numbered(number: number): string {
  const which = Math.floor(number / kinds.length) % DIFFERENT;
  const { target, at = host, cookie: sent = '' } = kinds[number % kinds.length]!(which);
  const headers = { host: at, 'x-forwarded-proto': 'https', [`x-unheard-of-${which}`]: '1', ...(sent ? { cookie: sent } : {}) };
  return requestOf('GET', target, headers);
}

/** It looks like a sealed cookie of the gateway's, and no key opens it. */
function sealLike(which: number): string {
  const inBase64 = (length: number) => Buffer.from(`${which}`.padStart(length, 'sealed')).toString('base64');
  return `${inBase64(96)}%3B${inBase64(24)}`;
}
