import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { faultsOf, gateFaults, identityFaults } from '../bench/checks.ts';
import { contenders, county, hundred } from '../bench/contenders.ts';
import { figureOf, figuresOf, type Measured, ratioOf, resultsOf } from '../bench/figures.ts';
import { forSeconds, load, type Slot } from '../bench/load.ts';
import { drawPlot } from '../bench/plot.ts';
import { resultsTable, systemsTable } from '../bench/tables.ts';

type Finished = typeof onTestFinished;

const visit = {
  user: 'WENDY166',
  service: 'trailblazer',
  path: '/',
  headers: { host: 'a.site', cookie: 'session=secret', 'remote-user': 'EVE' },
};

async function listen(answer: RequestListener, finished: Finished): Promise<number> {
  const server = createServer(answer);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  finished(() => void server.close().closeAllConnections());
  return (server.address() as AddressInfo).port;
}

/** The faults of one second of load on a server that treats every 50th request in its own way. */
async function faultsUnderLoad(finished: Finished, odd: RequestListener): Promise<string[]> {
  let requests = 0;
  const port = await listen((request, response) => {
    if (++requests % 50 === 0) odd(request, response);
    else response.end('a page');
  }, finished);
  return faultsOf('a system', await load({ port, visits: [visit] }, { until: forSeconds(1) }));
}

const slot = (changes: Partial<Slot> = {}): Slot => ({
  ...{ requests: 1000, seconds: 1, statuses: { 200: 1000 }, users: {}, errors: 0, lastError: '', timeouts: 0, lost: 0 },
  ...{ p50: 1, p99: 2, cpuMs: 100, pssMiB: 50 },
  ...changes,
});

test.concurrent('a run in which everything is answered 200 has no fault', async ({ onTestFinished }) => {
  expect(await faultsUnderLoad(onTestFinished, (_request, response) => response.end('a page'))).toEqual([]);
});

test.concurrent('one answer in fifty that is not 200 is a fault that names system and status', async ({ onTestFinished }) => {
  const faults = await faultsUnderLoad(onTestFinished, (_request, response) => response.writeHead(503).end());
  expect(faults).toEqual([expect.stringMatching(/^a system: [0-9]+ answers with status 503$/)]);
});

test.concurrent('an answer broken off in the middle is a fault, though the load generator only connects again', async ({
  onTestFinished,
}) => {
  const faults = await faultsUnderLoad(onTestFinished, (request, response) => {
    response.writeHead(200, { 'content-length': 100 }).write('half');
    setImmediate(() => request.socket.end());
  });
  expect(faults).toEqual([expect.stringMatching(/^a system: [0-9]+ lost$/)]);
});

test.each([
  ['errors', slot({ errors: 1 })],
  ['timeouts', slot({ timeouts: 1 })],
  ['no answer', slot({ statuses: {} })],
])('%s are a fault', (word, bad) => {
  expect(faultsOf('a system', bad).join()).toContain(word);
});

test('answers are counted by those who asked, also when they come in pieces', async ({ onTestFinished }) => {
  const port = await listen((request, response) => {
    response.writeHead(200, { 'content-length': 8 }).write('half');
    setImmediate(() => response.end(request.headers.cookie === 'a' ? 'full' : 'more'));
  }, onTestFinished);
  const visits = ['a', 'b', 'a'].map(user => ({ user, path: '/', headers: { ...visit.headers, cookie: user } }));
  const { requests, users, statuses, p50 } = await load({ port, visits }, { until: forSeconds(0.3), pauseMs: 20 });
  expect(requests).toBeGreaterThan(50);
  expect(statuses).toEqual({ 200: requests });
  expect(users.a! + users.b!).toBe(requests);
  expect(users.a! / users.b!).toBeCloseTo(2, 0);
  expect(p50).toBeGreaterThan(0);
});

test('a page whose end cannot be told is an error', async ({ onTestFinished }) => {
  const port = await listen((_request, response) => response.write('a piece') && response.end(), onTestFinished);
  const { requests, lastError } = await load({ port, visits: [visit] }, { until: forSeconds(0.1) });
  expect([requests, lastError]).toEqual([0, 'a page without a Content-Length']);
});

test('answers that the upstream never gave, or gave to somebody else, are a fault', () => {
  const seen = (counts: Record<string, number>) => ({ seen: counts, last: {} });
  const before = seen({ WENDY166: 7, EVE: 3, KEN144: 0 });
  const faults = (counts: Record<string, number>) => identityFaults('a system', { WENDY166: 60, KEN144: 40 }, before, seen(counts));
  expect(faults({ WENDY166: 67, KEN144: 40, EVE: 3 })).toEqual([]);
  expect(faults({ WENDY166: 66, KEN144: 40, EVE: 3 })).toHaveLength(1);
  expect(faults({ WENDY166: 67, KEN144: 40, EVE: 4 })).toHaveLength(1);
  expect(faults({ WENDY166: 68, KEN144: 39, EVE: 3 })).toHaveLength(1);
});

test('a gateway that lets everybody through is not measured', async () => {
  const seen: Record<string, number> = {};
  let last = {};
  const port = await listen((request, response) => {
    if (request.url === '/seen') return response.end(JSON.stringify({ seen, last }));
    seen[''] = (seen[''] ?? 0) + 1;
    last = request.headers;
    response.end('a page');
  }, onTestFinished);
  expect(await gateFaults({ port, visits: [visit] }, port)).toEqual([
    'without a session the answer is 200, not 302 or 401',
    'a request without a session reached the upstream',
    'the upstream was told of "EVE", not of "WENDY166"',
    'the upstream was not told which service it is',
    'the gateway passed its own cookie on',
  ]);
});

const slow: Measured = { name: 'slow', slots: [slot({ cpuMs: 200 }), slot({ cpuMs: 600 }), slot({ cpuMs: 300 })] };
const quick: Measured = { name: 'quick', slots: [slot({ cpuMs: 100 }), slot({ cpuMs: 200 }), slot({ cpuMs: 300 })] };

test('a figure is the median of its rounds with the least and the most; a ratio is taken round by round', () => {
  expect(figureOf([30, 10, 20])).toEqual({ median: 20, min: 10, max: 30 });
  expect(figureOf([1, 2, 3, 10])).toEqual({ median: 2.5, min: 1, max: 10 });
  expect(ratioOf(slow, quick, 'cpu')).toEqual({ median: 2, min: 1, max: 3 });
  expect(ratioOf({ ...slow, slots: [slot({ cpuMs: null })] }, quick, 'cpu')).toBeNull();
});

test('the tables say what was asked and seen, in bold what was missed, and nothing of what was not measured', () => {
  const goals = [
    { of: 'cpu', to: 'quick', most: 1.5 },
    { of: 'cpu', to: 'quick', least: 1.5 },
    { of: 'requests', to: 'quick' },
    { of: 'cpu', to: 'a peer that is not there', most: 1 },
    { of: 'memory', most: 49 },
  ] as const;
  expect(resultsTable('ratio', resultsOf(slow, goals, [slow, quick]))).toBe(
    [
      '| ratio | asked | seen |',
      '| --- | --: | --: |',
      '| CPU: slow / quick | ≤ 1.5 | **2.00** (1.00–3.00) |',
      '| CPU: slow / quick | ≥ 1.5 | 2.00 (1.00–3.00) |',
      '| requests/s: slow / quick |  | 1.00 (1.00–1.00) |',
      '| memory of slow, MiB | ≤ 49 | **50.0** (50.0–50.0) |',
    ].join('\n'),
  );
  const unread = { ...quick, slots: [slot({ cpuMs: null, pssMiB: null })] };
  expect(systemsTable([slow, unread].map(figuresOf)).split('\n').slice(2)).toEqual([
    '| slow | 1,000 (1,000–1,000) | 1.00 (1.00–1.00) | 2.00 (2.00–2.00) | 300 (200–600) | 50.0 (50.0–50.0) |',
    '| quick | 1,000 (1,000–1,000) | 1.00 (1.00–1.00) | 2.00 (2.00–2.00) | not read | not read |',
  ]);
});

test('a row is compared with rows that are there, and one from Debian is none of ours', () => {
  const rows = contenders(60);
  const names = rows.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(names).toEqual(expect.arrayContaining([hundred, county]));
  for (const { goals, ours, debian } of rows) {
    for (const goal of goals) if (goal.of !== 'memory') expect(names).toContain(goal.to);
    expect(ours && debian).toBeFalsy();
  }
});

test('the plot says in words what it shows, and each bar is as long as its figure', () => {
  const bars = [
    { name: 'ours & <others>', figure: { median: 50, min: 40, max: 60 }, ours: true },
    { name: 'a peer', figure: { median: 200, min: 150, max: 210.5 }, ours: false },
  ];
  const svg = drawPlot({ title: 'Cost', description: 'A run.', bars });
  expect(svg).toContain('<title id="title">Cost</title>');
  expect(svg).toContain('A run. ours &amp; &lt;others&gt;: 50.0, from 40.0 to 60.0. a peer: 200, from 150 to 211.');
  expect(svg).toContain('prefers-color-scheme: dark');
  const [ours, peer] = [...svg.matchAll(/<rect class="bar( ours)?".*? width="([0-9.]+)"/g)];
  expect([ours?.[1], peer?.[1]]).toEqual([' ours', undefined]);
  expect(Number(peer?.[2]) / Number(ours?.[2])).toBeCloseTo(4, 2);
  const ends = [...svg.matchAll(/class="spread" d="M([0-9.]+) [0-9.]+H([0-9.]+)/g)].map(([, least, most]) => [Number(least), Number(most)]);
  expect(ends[1]![1]! - ends[0]![0]!).toBeCloseTo(((210.5 - 40) / 50) * Number(ours?.[2]), 0);
});
