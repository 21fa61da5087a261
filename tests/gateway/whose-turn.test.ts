import dns from 'node:dns';
import { createConnection, type Socket } from 'node:net';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import type { AppDeps } from '#gateway/deps.ts';
import { startApp, type TestApp } from '#tests/app.ts';
import { startRawServer, withUpstreams } from '#tests/legacy-wire.ts';
import { ask, type RawRequest, requestBytes } from '#tests/raw-http.ts';
import { visit } from '#tests/visits.ts';

vi.setConfig({ testTimeout: 60_000 });
afterAll(vi.resetConfig);

/** Who is waited for, and for how long: the legacy server, the browser that sends, the browser that reads. */
let legacy: Awaited<ReturnType<typeof startRawServer>>;
let app: TestApp;
let host: string;
let cookie: string;
const near: Socket[] = [];

afterEach(async () => {
  for (const socket of near.splice(0)) socket.destroy();
  await app.close();
  await legacy.close();
});

type Limits = Partial<AppDeps['settings']['upstream']>;
async function start(answer: Parameters<typeof startRawServer>[0], limits: Limits, scheme = 'http'): Promise<void> {
  legacy = await startRawServer(answer);
  const origin = legacy.origin.replace('http', scheme);
  app = await startApp({
    change: deps => ({
      ...withUpstreams(deps, ({ service }) => (service === 'hias' ? origin : null)),
      settings: { ...deps.settings, upstream: { ...deps.settings.upstream, ...limits } },
    }),
  });
  ({ host, cookie } = await visit(app, 'JHOWEL12'));
}

const to = (what: string, more: Partial<RawRequest> = {}): RawRequest => ({
  target: `/education/hias/${what}`,
  host,
  ...more,
  headers: [['Cookie', cookie], ...(more.headers ?? [])],
});

function begin(...requests: RawRequest[]): Socket {
  const socket = createConnection(app.port, '127.0.0.1', () => socket.write(Buffer.concat(requests.map(requestBytes))));
  near.push(socket.on('error', () => {}));
  return socket;
}

const inside = () =>
  app.app
    .present()
    .parts.upstreams.all()
    .reduce((sum, { queue }) => sum + queue.sizes().inside, 0);
const KEEP = ['Connection', 'keep-alive'] as const;

test('a server that takes nothing of an upload is the one that is slow', async () => {
  await start((_path, socket) => void socket.pause(), { bodySeconds: 0.2, headersSeconds: 1 });
  const length = 16_000_000;
  const socket = begin(to('upload', { method: 'POST', headers: [['Content-Length', String(length)]], body: Buffer.alloc(length) }));
  let heard = '';
  socket.on('data', chunk => {
    heard += chunk;
  });
  await expect.poll(() => heard, { timeout: 30_000 }).toMatch(/^HTTP\/1\.1 504 /);
});

test('a browser that stops in an upload is found out while it reads another answer', async () => {
  const answer = (path: string, socket: Socket) => {
    if (path.endsWith('/big')) socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n${'x'.repeat(20_000_000)}`);
  };
  await start(answer, { bodySeconds: 1, headersSeconds: 30 });
  const socket = begin(
    to('big', { headers: [KEEP] }),
    to('upload', { method: 'POST', headers: [KEEP, ['Content-Length', '9']], body: 'b' }),
  );
  // All of the first answer, with a stop on the way.
  socket.once('data', () => {
    socket.pause();
    setTimeout(() => socket.resume(), 300);
  });
  await expect.poll(inside).toBeGreaterThan(0);
  await expect.poll(inside, { timeout: 30_000 }).toBe(0);
});

test('the end of an answer that its browser never reads does not lie here for ever', async () => {
  let answered = 0;
  const answer = (path: string, socket: Socket) => {
    const length = Number(path.split('/').at(-1));
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`);
    socket.write(Buffer.alloc(length, 'x'), () => (answered += 1));
  };
  await start(answer, { bodySeconds: 2, headersSeconds: 30 });
  const ends: Socket[] = [];
  app.app.server.on('connection', socket => ends.push(socket));
  const held = () => ends.filter(socket => !socket.destroyed && socket.writableLength > 0).length;
  // How much the system takes of an answer that nobody reads; then answers of about that length, of which some are a little longer.
  const first = begin(to('20000000')).pause();
  await expect.poll(held, { timeout: 30_000 }).toBe(1);
  await new Promise(resolve => setTimeout(resolve, 200));
  const taken = ends[0]!.bytesWritten - ends[0]!.writableLength;
  for (let more = -10; more < 15; more += 1) begin(to(String(taken + more * 25_000), { headers: [KEEP] })).pause();
  first.destroy();
  await expect.poll(() => answered, { timeout: 30_000 }).toBeGreaterThanOrEqual(25);
  await expect.poll(held, { timeout: 30_000 }).toBe(0);
});

test('whoever leaves before the connection stands leaves none behind', async () => {
  await start(() => {}, { connectSeconds: 30 }, 'https');
  const socket = begin(to('page'));
  await expect.poll(() => legacy.connections.size).toBe(1);
  socket.destroy();
  await expect.poll(() => legacy.connections.size).toBe(0);
  expect(inside()).toBe(0);
});

test('whoever leaves while it is asked whether they may have a page is not waited for', async () => {
  const asked: string[] = [];
  await start((path, socket) => {
    asked.push(path);
    if (path.endsWith('/well')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell');
  }, {});
  const { sessions } = app.app.present().parts;
  const read = sessions.read.bind(sessions);
  const { promise: gone, resolve: leave } = Promise.withResolvers<void>();
  const { promise: judging, resolve: judge } = Promise.withResolvers<void>();
  sessions.read = async (...what) => {
    judge();
    await gone;
    return read(...what);
  };
  const closed = new Promise(resolve => app.app.server.once('connection', end => end.once('close', resolve)));
  const socket = begin(to('upload', { method: 'POST', headers: [['Content-Length', '9']], body: 'b' }));
  await judging;
  socket.destroy();
  await closed;
  leave();
  sessions.read = read;
  expect((await ask(app.port, to('well'))).body).toBe('well');
  expect([asked, inside()]).toEqual([['/education/hias/well'], 0]);
});

test('an answer in very many pieces is waited for once', async () => {
  const warnings: string[] = [];
  const warn = (warning: Error) => void warnings.push(String(warning));
  process.on('warning', warn);
  const pieces = '10\r\n0123456789abcdef\r\n'.repeat(400_000);
  await start((_path, socket) => void socket.end(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${pieces}0\r\n\r\n`), {});
  const socket = begin(to('pieces'));
  await new Promise(resolve => setTimeout(resolve, 500));
  let heard = 0;
  socket.on('data', chunk => {
    heard += chunk.length;
  });
  await new Promise(resolve => socket.once('close', resolve));
  process.off('warning', warn);
  expect(heard).toBeGreaterThan(400_000 * 16);
  expect(warnings).toEqual([]);
});

test('a server that says `100 Continue` unasked, as IIS does, is understood', async () => {
  const said = 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell';
  await start((_path, socket) => void socket.write(said), {});
  expect((await ask(app.port, to('page', { method: 'POST', headers: [['Content-Length', '1']], body: 'a' }))).body).toBe('well');
});

test('the log says why a server was not reached, by whatever number of addresses', async () => {
  legacy = await startRawServer(() => {});
  app = await startApp({ change: deps => withUpstreams(deps, ({ service }) => (service === 'hias' ? 'http://localhost:1' : null)) });
  ({ host, cookie } = await visit(app, 'JHOWEL12'));
  const both = [
    { address: '::1', family: 6 },
    { address: '127.0.0.1', family: 4 },
  ];
  const spy = vi
    .spyOn(dns, 'lookup')
    .mockImplementation(((_name: string, _how: object, tell: (...told: unknown[]) => void) => tell(null, both)) as typeof dns.lookup);
  expect((await ask(app.port, to('page'))).status).toBe(502);
  spy.mockRestore();
  expect(app.log()).toMatch(/"err":"[^"]*ECONNREFUSED[^"]*","upstream":"http:..localhost:1","msg":"upstream trouble"/);
});
