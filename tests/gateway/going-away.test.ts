import { createConnection, type Socket } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startApp, type TestApp } from '#tests/app.ts';
import { startRawServer, withUpstreams } from '#tests/legacy-wire.ts';
import { ask, type RawRequest, requestBytes } from '#tests/raw-http.ts';
import { visit } from '#tests/visits.ts';

const WELL = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell';
const CONNECTIONS = 2;

/** A legacy server with two connections, and everything that was asked of it. */
let legacy: Awaited<ReturnType<typeof startRawServer>>;
let app: TestApp;
let host: string;
let cookie: string;
let asked: { path: string; socket: Socket }[] = [];

beforeAll(async () => {
  legacy = await startRawServer((path, socket) => {
    asked.push({ path, socket });
    if (path.endsWith('/well')) socket.write(WELL);
    if (path.endsWith('/begin')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf');
    if (path.endsWith('/early')) socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nmuch');
  });
  app = await startApp({
    env: { UPSTREAM_CONNECTIONS: String(CONNECTIONS) },
    change: deps => withUpstreams(deps, ({ service }) => (service === 'hias' ? legacy.origin : null)),
  });
  ({ host, cookie } = await visit(app, 'JHOWEL12'));
});
afterAll(async () => {
  await app.close();
  await legacy.close();
});
beforeEach(() => {
  asked = [];
});

const get = (what: string): RawRequest => ({ target: `/education/hias/${what}`, host, headers: [['Cookie', cookie]] });
const upload = (what: string): RawRequest => ({
  ...get(what),
  method: 'POST',
  headers: [
    ['Cookie', cookie],
    ['Content-Length', '1000000'],
  ],
  body: Buffer.alloc(100_000, 'x'),
});
const isServed = async () => expect((await ask(app.port, get('well'))).body).toBe('well');

/** Somebody who asks and waits. */
async function begin(request: RawRequest): Promise<Socket> {
  const before = asked.length;
  const socket = createConnection(app.port, '127.0.0.1', () => socket.write(requestBytes(request)));
  socket.on('error', () => {}).resume();
  if (before < CONNECTIONS) await expect.poll(() => asked.length).toBe(before + 1);
  else await new Promise(resolve => setTimeout(resolve, 50));
  return socket;
}

test('whoever leaves while waiting for a connection with a page harms nobody', async () => {
  await leaveTheLine(get);
  expect(asked.filter(({ path }) => path.endsWith('/never'))).toHaveLength(CONNECTIONS);
});

test('whoever leaves while waiting for a connection with an upload harms nobody', async () => {
  await leaveTheLine(upload);
  // Before an upload is read nobody can know that its sender has gone; but then the legacy server hears of it, too.
  await expect.poll(() => asked.filter(({ path }) => path.endsWith('/never')).every(({ socket }) => socket.destroyed)).toBe(true);
});

async function leaveTheLine(request: typeof get): Promise<void> {
  const busy = [await begin(get('never')), await begin(get('never'))];
  const waiting = [await begin(request('never')), await begin(request('never'))];
  waiting[0]!.destroy();
  waiting[1]!.resetAndDestroy();
  for (const socket of busy) socket.destroy();
  await isServed();
}

test.each([
  ['before the answer', () => get('never')],
  ['in the middle of the answer', () => get('begin')],
  ['in the middle of an upload', () => upload('never')],
  ['in the middle of both', () => upload('begin')],
  ['in the middle of an upload that has been answered', () => upload('early')],
])('whoever leaves %s gives the connection back', async (_when, request) => {
  for (const how of ['end', 'destroy', 'resetAndDestroy'] as const) {
    asked = [];
    const leaving = [await begin(request()), await begin(request())];
    for (const socket of leaving) socket[how]();
    await isServed();
    await expect.poll(() => asked.slice(0, CONNECTIONS).every(({ socket }) => socket.destroyed)).toBe(true);
  }
});

test('whoever leaves with a second question behind the first gives both connections back', async () => {
  const [first, second] = [get('never'), get('never')].map(request => ({
    ...request,
    headers: [...request.headers!, ['Connection', 'keep-alive']] as const,
  }));
  const socket = createConnection(app.port, '127.0.0.1', () => socket.write(Buffer.concat([requestBytes(first!), requestBytes(second!)])));
  socket.on('error', () => {}).resume();
  await expect.poll(() => asked.length).toBe(CONNECTIONS);
  socket.destroy();
  await isServed();
});

test('whoever asks for many things before taking the first answer is not listened to', async () => {
  const request = requestBytes({ ...get('never'), host: 'elsewhere.example', headers: [['Connection', 'keep-alive']] });
  const slow = requestBytes({ ...get('never'), headers: [...get('never').headers!, ['Connection', 'keep-alive']] });
  const socket = createConnection(app.port, '127.0.0.1', () =>
    socket.write(Buffer.concat([slow, ...Array.from({ length: 9 }, () => request)])),
  );
  socket.on('error', () => {}).resume();
  await new Promise(resolve => socket.once('close', resolve));
  await isServed();
});
