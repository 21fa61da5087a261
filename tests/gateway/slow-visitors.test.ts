import { createConnection, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startApp, type TestApp } from '#tests/app.ts';
import { startRawServer, withUpstreams } from '#tests/legacy-wire.ts';
import { ask, type RawRequest, requestBytes } from '#tests/raw-http.ts';
import { visit } from '#tests/visits.ts';

const OPEN_PAGE = '/education/hias/moodle/';
const BIG = Buffer.alloc(8_000_000, 'x');

/** A legacy server with ten connections, on which a protected page and an open one live. */
let legacy: Awaited<ReturnType<typeof startRawServer>>;
let app: TestApp;
let host: string;
let cookie: string;
let asked = 0;
const slow: Socket[] = [];

beforeAll(async () => {
  legacy = await startRawServer((path, socket) => {
    asked += 1;
    if (path.endsWith('/big')) {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${BIG.length}\r\n\r\n`);
      socket.write(BIG);
    } else if (path.endsWith('/well')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell');
  });
  app = await startApp({
    env: { UPSTREAM_CONNECTIONS: '10' },
    change: deps => withUpstreams(deps, ({ path }) => (path.startsWith('/education/hias') ? legacy.origin : null)),
  });
  ({ host, cookie } = await visit(app, 'JHOWEL12'));
});
afterEach(() => {
  for (const socket of slow.splice(0)) socket.destroy();
});
afterAll(async () => {
  await app.close();
  await legacy.close();
});

const signedIn = (request: Partial<RawRequest>): RawRequest => ({
  target: '/education/hias/well',
  host,
  headers: [['Cookie', cookie]],
  ...request,
});

test.each([
  ['send slowly', { method: 'POST', target: OPEN_PAGE, headers: [['Content-Length', '1000000']], body: 'a=' }],
  ['read slowly', { target: `${OPEN_PAGE}big` }],
  ['wait for what never comes', { target: `${OPEN_PAGE}never` }],
] as [string, RawRequest][])('strangers who %s keep nobody else from the service', async (_how, request) => {
  asked = 0;
  for (let count = 0; count < 40; count++) {
    const socket = createConnection(app.port, '127.0.0.1', () => socket.write(requestBytes({ host, ...request })));
    slow.push(socket.on('error', () => {}));
  }
  await expect.poll(() => asked).toBe(8);
  const answers = await Promise.all([1, 2, 3, 4].map(() => ask(app.port, signedIn({}))));
  expect(answers.map(({ body }) => body)).toEqual(['well', 'well', 'well', 'well']);
  expect(asked).toBe(8 + 4);
});
