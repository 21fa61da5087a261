import { createConnection, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startApp, type TestApp } from '#tests/app.ts';
import { startRawServer, withUpstreams } from '#tests/legacy-wire.ts';
import { ask, type RawRequest, requestBytes, upgrade } from '#tests/raw-http.ts';
import { changeRights, holdStore, idsOf, visit } from '#tests/visits.ts';

const REFUSED = 'HTTP/1.1 426 Upgrade Required\r\nContent-Length: 3\r\n\r\nno!';
const AGREED = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n';
const PAGE = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell';

let legacy: Awaited<ReturnType<typeof startRawServer>>;
let app: TestApp;
let host: string;
let cookie: string;
let heads: string[] = [];
/** Connections asked for a WebSocket, at the legacy server; and every one that came in, at the gateway. */
const far: Socket[] = [];
const near = new Map<number | undefined, Socket>();

beforeAll(async () => {
  legacy = await startRawServer((path, socket, head) => {
    heads.push(head);
    const isHandshake = /^upgrade:/im.test(head);
    if (isHandshake) far.push(socket);
    if (!path.endsWith('/slow')) socket.write(path.endsWith('/refused') ? REFUSED : isHandshake ? AGREED : PAGE);
  });
  app = await startApp({ change: deps => withUpstreams(deps, ({ service }) => (service === 'hias' ? legacy.origin : null)) });
  app.app.server.on('connection', socket => near.set(socket.remotePort, socket));
  ({ host, cookie } = await visit(app, 'JHOWEL12'));
});
afterAll(async () => {
  await app.close();
  await legacy.close();
});

const handshake = (what: string, more: Partial<RawRequest> = {}): RawRequest => ({
  target: `/education/hias/${what}`,
  host,
  ...more,
  headers: [['Cookie', cookie], ['Connection', 'Upgrade'], ['Upgrade', 'websocket'], ...(more.headers ?? [])],
});
const open = (sockets: Socket[]) => sockets.filter(socket => !socket.destroyed).length;

test.each([
  ['a POST', { method: 'POST', headers: [['Content-Length', '0']] }, ''],
  ['a HEAD', { method: 'HEAD' }, ''],
  ['of the older version', { version: '1.0' }, ''],
  ['with a body', { headers: [['Content-Length', '6']], body: 'hidden' }, 'hidden'],
  ['with a body that is a request', { headers: [['Content-Length', '24']], body: 'GET /smuggled HTTP/1.1\r\n' }, 'smuggled'],
  ['with a body in chunks', { headers: [['Transfer-Encoding', 'chunked']], body: '6\r\nhidden\r\n0\r\n\r\n' }, 'hidden'],
] as [string, Partial<RawRequest>, string][])('%s is no handshake: it goes on as the request it is', async (_what, more, body) => {
  heads = [];
  const answer = await ask(app.port, {
    ...handshake('page', more),
    headers: [...handshake('page', more).headers!, ['Connection', 'close']],
  });
  expect(answer.status).toBe(200);
  expect(heads).toHaveLength(1);
  expect(heads[0]).not.toMatch(/^upgrade:/im);
  expect(heads[0]?.split('\r\n\r\n')[1] ?? '').toContain(body);
});

test('what is sent behind one reaches the legacy server only once it has agreed #34', async () => {
  const smuggled = requestBytes({ target: '/education/hias/smuggled', host });
  heads = [];
  const { answer, closed } = await upgrade(app.port, handshake('refused', { body: smuggled }));
  await closed;
  expect([answer.status, answer.body]).toEqual([426, 'no!']);
  expect(heads).toEqual([expect.stringMatching(/^GET \/education\/hias\/refused HTTP\/1\.1\r\n/)]);
  expect(heads[0]).not.toContain('smuggled');
});

test('a refused one is forgotten with everything the client sent behind it', async () => {
  const { answer, socket, closed } = await upgrade(app.port, handshake('page', { host: 'evil.example', body: 'x'.repeat(5_000) }));
  expect(answer.status).toBe(421);
  const accepted = near.get(socket.localPort)!;
  socket.write('y'.repeat(100_000));
  socket.end();
  await closed;
  await expect.poll(() => accepted.destroyed).toBe(true);
});

test.each(['end', 'destroy', 'resetAndDestroy'] as const)('whoever leaves (%s) while it is asked for leaves nothing behind', async how => {
  far.length = 0;
  const socket = createConnection(app.port, '127.0.0.1', () => socket.write(requestBytes(handshake('slow'))));
  socket.on('error', () => {});
  await expect.poll(() => far.length).toBe(1);
  const accepted = near.get(socket.localPort)!;
  socket[how]();
  await expect.poll(() => [accepted.destroyed, open(far)]).toEqual([true, 0]);
});

test('whoever leaves while being judged does not reach the legacy server', async () => {
  far.length = 0;
  // What was known of the person is doubtful now and must be read again, and the store is busy until the browser has gone.
  await changeRights(app, await idsOf(app, 'JHOWEL12', 'SP3'), async () => {});
  const store = await holdStore(app.store);
  const bytes = requestBytes(handshake('page'));
  const socket = createConnection(app.port, '127.0.0.1', () => socket.write(bytes));
  await expect.poll(() => near.get(socket.localPort)).toBeDefined();
  socket.resetAndDestroy();
  await store.release();
  const { answer, socket: next } = await upgrade(app.port, handshake('page'));
  expect([answer.status, far.length]).toEqual([101, 1]);
  next.destroy();
});
