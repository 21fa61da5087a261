import { createConnection, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { AppDeps } from '#gateway/deps.ts';
import { startApp, type TestApp } from '#tests/app.ts';
import { startRawServer, withUpstreams } from '#tests/legacy-wire.ts';
import { ask, type RawRequest, requestBytes } from '#tests/raw-http.ts';
import { visit } from '#tests/visits.ts';

const HINT = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nX-Internal: 1\r\nConnection: X-Internal\r\n\r\n';
const WELL = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell';
const BIG = Buffer.alloc(16_000_000, 'x');

let legacy: Awaited<ReturnType<typeof startRawServer>>;
let app: TestApp;
let host: string;
let cookie: string;
/** The legacy server's end of what was asked last, and what it read there. */
let far: Socket;
let read = '';
const near: Socket[] = [];

beforeAll(async () => {
  legacy = await startRawServer((path, socket, head) => {
    far = socket;
    read = head;
    socket.on('data', chunk => {
      read += chunk;
    });
    if (path.endsWith('/hint')) socket.write(HINT + WELL);
    if (path.endsWith('/processing')) socket.write(`HTTP/1.1 102 Processing\r\n\r\n${WELL}`);
    if (path.endsWith('/one-event'))
      socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\nb\r\ndata: one\n\n\r\n');
    if (path.endsWith('/big')) socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${BIG.length}\r\n\r\n`, () => socket.write(BIG));
  });
});
afterEach(() => {
  for (const socket of near.splice(0)) socket.destroy();
});
afterAll(() => legacy.close());

async function start(bodySeconds: number, env: Record<string, string> = {}): Promise<void> {
  const change = (deps: AppDeps): AppDeps => ({
    ...withUpstreams(deps, ({ service }) => (service === 'hias' ? legacy.origin : null)),
    settings: { ...deps.settings, upstream: { ...deps.settings.upstream, bodySeconds } },
  });
  app = await startApp({ env, change });
  ({ host, cookie } = await visit(app, 'JHOWEL12'));
}

const to = (what: string, more: Partial<RawRequest> = {}): RawRequest => ({
  target: `/education/hias/${what}`,
  host,
  ...more,
  headers: [['Cookie', cookie], ...(more.headers ?? [])],
});

/** Sends a request and keeps its connection. */
function begin(request: RawRequest): { socket: Socket; heard(): string } {
  let heard = '';
  const socket = createConnection(app.port, '127.0.0.1');
  socket.write(requestBytes(request));
  socket
    .on('error', () => {})
    .on('data', chunk => {
      heard += chunk;
    });
  near.push(socket);
  return { socket, heard: () => heard };
}

describe('an answer before the answer', () => {
  beforeAll(() => start(60));
  afterAll(() => app.close());

  test('is passed on, without what is for the next hop only', async () => {
    const { text, body } = await ask(app.port, to('hint'));
    expect(text).toMatch(/^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a\.css>; rel=preload\r\n/);
    expect(text).not.toContain('X-Internal');
    expect(body).toBe('well');
    expect((await ask(app.port, to('processing'))).text).toMatch(/^HTTP\/1\.1 102 Processing\r\n/);
  });

  test('is kept from whoever knows no such thing (RFC 9110 §15.2)', async () => {
    const { text } = await ask(app.port, to('hint', { version: '1.0' }));
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });
});

describe('an answer in parts', () => {
  beforeAll(() => start(60));
  afterAll(() => app.close());

  test('reaches the browser part by part, its headers first', async () => {
    far = undefined as unknown as Socket;
    const { heard } = begin(to('parts'));
    await expect.poll(() => far).toBeDefined();
    far.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n');
    await expect.poll(heard).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\n$/);
    for (const part of ['one', 'two', 'six']) {
      far.write(`3\r\n${part}\r\n`);
      await expect.poll(heard).toContain(part);
    }
    far.write('0\r\n\r\n');
    await expect.poll(heard).toMatch(/\r\n0\r\n\r\n$/);
  });

  test('and a form in parts reaches the legacy server part by part', async () => {
    const { socket } = begin(to('parts', { method: 'POST', headers: [['Transfer-Encoding', 'chunked']] }));
    for (const part of ['one', 'two', 'six']) {
      socket.write(`3\r\n${part}\r\n`);
      await expect.poll(() => read).toContain(part);
    }
  });
});

describe('an event stream', () => {
  beforeAll(() => start(60));
  afterAll(() => app.close());

  test('brings each event within 50 ms of the legacy server’s', async () => {
    far = undefined as unknown as Socket;
    const { socket, heard } = begin(to('events'));
    await expect.poll(() => far).toBeDefined();
    far.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\n');
    await expect.poll(heard).toMatch(/\r\n\r\n$/);
    const delays: number[] = [];
    for (let event = 0; event < 21; event += 1) {
      const sent = performance.now();
      const arrived = new Promise(resolve => socket.once('data', resolve));
      far.write('8\r\ndata: 1\n\r\n');
      await arrived;
      delays.push(performance.now() - sent);
    }
    // The one in the middle: a busy machine may keep any single one waiting.
    expect(delays.sort((a, b) => a - b)[10]).toBeLessThan(50);
  });
});

describe('a browser that is silent for too long', () => {
  beforeAll(() => start(0.2));
  afterAll(() => app.close());

  test.each([
    ['does not go on sending', () => to('upload', { method: 'POST', headers: [['Content-Length', '1000']], body: 'begun' })],
    ['does not go on reading', () => to('big')],
  ])('and %s does not keep its connection to the legacy server', async (_how, request) => {
    read = '';
    const { socket } = begin(request());
    socket.pause();
    await expect.poll(() => read).toContain(' HTTP/1.1\r\n');
    await expect.poll(() => far.destroyed, { timeout: 5_000 }).toBe(true);
  });

  test('may be as silent as it likes when it is not its turn', async () => {
    read = '';
    const { socket, heard } = begin(to('slow', { method: 'POST', headers: [['Content-Length', '5']], body: 'whole' }));
    await expect.poll(() => read).toContain('whole');
    await new Promise(resolve => setTimeout(resolve, 400));
    far.write(WELL);
    await expect.poll(heard).toMatch(/well$/);
    socket.destroy();
  });
});

describe.each(['dispatch', 'http-proxy'])('with the engine %s', ENGINE => {
  beforeAll(() => start(300, { ENGINE }));
  afterAll(() => app.close());

  test('a stream of events is judged until it ends, and not the next request on its connection', async () => {
    const { live } = app.app.present().parts;
    const one = begin(to('one-event', { headers: [['Connection', 'keep-alive']] }));
    await expect.poll(one.heard, { timeout: 10_000 }).toContain('data: one');
    expect(live.size()).toBe(1);
    far.end('0\r\n\r\n');
    await expect.poll(one.heard, { timeout: 10_000 }).toMatch(/\r\n0\r\n\r\n$/);
    await expect.poll(live.size, { timeout: 10_000 }).toBe(0);
    one.socket.write(requestBytes(to('hint', { headers: [['Connection', 'keep-alive']] })));
    await expect.poll(one.heard, { timeout: 10_000 }).toMatch(/well$/);
  });
});
