import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { faultsOf, gateFaults, identityFaults } from '../bench/checks.ts';
import { figureOf, ratioOf } from '../bench/figures.ts';
import { load, type Slot } from '../bench/load.ts';

type Finished = typeof onTestFinished;

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
  return faultsOf('a system', await load({ port, path: '/', headers: {} }, 1, null));
}

const slot = (changes: Partial<Slot> = {}): Slot => ({
  ...{ requests: 1000, seconds: 1, statuses: { 200: 1000 }, errors: 0, timeouts: 0, lost: 0, p50: 1, p99: 2, cpuMs: 100, pssMiB: 50 },
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

test('answers that the upstream never gave, or gave to somebody else, are a fault', () => {
  const seen = (counts: Record<string, number>) => ({ seen: counts, last: {} });
  const before = seen({ WENDY166: 7, EVE: 3 });
  expect(identityFaults('a system', 'WENDY166', 100, before, seen({ WENDY166: 107, EVE: 3 }))).toEqual([]);
  expect(identityFaults('a system', 'WENDY166', 100, before, seen({ WENDY166: 106, EVE: 3 }))).toHaveLength(1);
  expect(identityFaults('a system', 'WENDY166', 100, before, seen({ WENDY166: 107, EVE: 4 }))).toHaveLength(1);
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
  const target = { port, path: '/', headers: { cookie: 'session=secret', 'remote-user': 'EVE' } };
  const faults = await gateFaults(target, port, { user: 'WENDY166', service: 'trailblazer', cookie: 'session=secret' });
  expect(faults).toEqual([
    'without a session the answer is 200, not 302 or 401',
    'a request without a session reached the upstream',
    'the upstream was told of "EVE", not of "WENDY166"',
    'the upstream was not told which service it is',
    'the gateway passed its own cookie on',
  ]);
});

test('a figure is the median of its rounds with the least and the most; a ratio is taken round by round', () => {
  expect(figureOf([30, 10, 20])).toEqual({ median: 20, min: 10, max: 30 });
  expect(figureOf([1, 2, 3, 10])).toEqual({ median: 2.5, min: 1, max: 10 });
  const slow = { name: 'slow', slots: [slot({ cpuMs: 200 }), slot({ cpuMs: 600 }), slot({ cpuMs: 300 })] };
  const quick = { name: 'quick', slots: [slot({ cpuMs: 100 }), slot({ cpuMs: 200 }), slot({ cpuMs: 300 })] };
  expect(ratioOf(slow, quick).cpu).toEqual({ median: 2, min: 1, max: 3 });
});
