import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startApp, type TestApp } from '#tests/app.ts';
import { startRawServer, startServer, withUpstreams } from '#tests/legacy-wire.ts';
import { ask, type RawRequest, requestBytes, sendRaw } from '#tests/raw-http.ts';
import { visit } from '#tests/visits.ts';

// Every byte there is, and no two blocks alike.
const bytes = (length: number) => Buffer.from(Array.from({ length }, (_, index) => (index + (index >> 8) * 7) & 0xff));
const FILE = bytes(100_000);
const ETAG = '"v1"';
const CHANGED = 'Tue, 24 Nov 2026 10:00:00 GMT';

let legacy: Awaited<ReturnType<typeof startServer>>;
let app: TestApp;
let host: string;
let cookie: string;

beforeAll(async () => {
  legacy = await startServer(
    (request, response) => void (request.url?.endsWith('/echo') ? echo(request, response) : file(request, response)),
  );
  app = await startApp({ change: deps => withUpstreams(deps, ({ service }) => (service === 'hias' ? legacy.origin : null)) });
  ({ host, cookie } = await visit(app, 'JHOWEL12'));
});
afterAll(async () => {
  await app.close();
  await legacy.close();
});

/** What came goes back, with its length or in chunks as it came. */
async function echo(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const length = request.headers['content-length'];
  response.writeHead(200, { 'content-type': 'application/octet-stream', ...(length ? { 'content-length': length } : {}) });
  request.pipe(response);
}

/** A file as a plain web server gives it (RFC 9110 §13, §14). */
function file({ headers, method }: IncomingMessage, response: ServerResponse): void {
  const known = { etag: ETAG, 'last-modified': CHANGED, 'accept-ranges': 'bytes', 'content-type': 'application/pdf' };
  if (headers['if-none-match'] === ETAG || headers['if-modified-since'] === CHANGED) return void response.writeHead(304, known).end();
  if (headers['if-match'] && headers['if-match'] !== ETAG) return void response.writeHead(412, known).end('changed');
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? [];
  if (from === undefined || (headers['if-range'] ?? ETAG) !== ETAG) {
    response.writeHead(200, { ...known, 'content-length': FILE.length });
    return void response.end(method === 'HEAD' ? undefined : FILE);
  }
  if (Number(from) >= FILE.length) return void response.writeHead(416, { 'content-range': `bytes */${FILE.length}` }).end();
  const part = FILE.subarray(Number(from), to ? Number(to) + 1 : undefined);
  const range = `bytes ${from}-${Number(from) + part.length - 1}/${FILE.length}`;
  response.writeHead(206, { ...known, 'content-range': range, 'content-length': part.length }).end(part);
}

const send = (request: Partial<RawRequest>) =>
  ask(app.port, { target: '/education/hias/file', host, ...request, headers: [['Cookie', cookie], ...(request.headers ?? [])] });
const hash = (some: Buffer | string) =>
  createHash('sha256')
    .update(Buffer.from(some as string, 'latin1'))
    .digest('hex');
/** Of a body in chunks. */
function joined(body: string): string {
  let whole = '';
  for (let rest = body; ; ) {
    const [line = ''] = rest.split('\r\n', 1);
    const length = Number.parseInt(line, 16);
    if (!length) return whole;
    whole += rest.slice(line.length + 2, line.length + 2 + length);
    rest = rest.slice(line.length + 4 + length);
  }
}

describe.each([0, 1, 255, 16_383, 16_384, 16_385, 65_536, 65_537, 1_000_003])('a body of %i bytes', length => {
  const body = bytes(length);

  test('goes and comes back with its length', async () => {
    const answer = await send({ method: 'PUT', target: '/education/hias/echo', headers: [['Content-Length', String(length)]], body });
    expect([answer.status, answer.header('content-length'), hash(answer.body)]).toEqual([200, String(length), hash(body)]);
  });

  test('goes and comes back in chunks', async () => {
    const parts = Array.from({ length: Math.ceil(length / 7_001) }, (_, index) => body.subarray(index * 7_001, (index + 1) * 7_001));
    const chunks = parts.flatMap(part => [Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')]);
    const chunked = Buffer.concat([...chunks, Buffer.from('0\r\n\r\n')]);
    const answer = await send({
      method: 'PUT',
      target: '/education/hias/echo',
      headers: [['Transfer-Encoding', 'chunked']],
      body: chunked,
    });
    // Node, as a legacy server, counts what it still has in hand, and gives a length after all.
    const back = answer.header('transfer-encoding') === 'chunked' ? joined(answer.body) : answer.body;
    expect([answer.status, hash(back)]).toEqual([200, hash(body)]);
  });
});

describe('a part of a file', () => {
  test.each([
    ['bytes=0-3', 206, `bytes 0-3/${FILE.length}`, FILE.subarray(0, 4)],
    ['bytes=16384-', 206, `bytes 16384-99999/${FILE.length}`, FILE.subarray(16_384)],
    ['bytes=99999-', 206, `bytes 99999-99999/${FILE.length}`, FILE.subarray(99_999)],
    ['bytes=100000-', 416, `bytes */${FILE.length}`, Buffer.alloc(0)],
    ['pages=1-2', 200, undefined, FILE],
  ])('%s is what was asked for', async (range, status, contentRange, part) => {
    const answer = await send({ headers: [['Range', range]] });
    expect([answer.status, answer.header('content-range')]).toEqual([status, contentRange]);
    if (status !== 416) expect(hash(answer.body)).toBe(hash(part));
  });

  test('is asked for only if the file is still the same (If-Range)', async () => {
    const same = await send({
      headers: [
        ['Range', 'bytes=0-3'],
        ['If-Range', ETAG],
      ],
    });
    const other = await send({
      headers: [
        ['Range', 'bytes=0-3'],
        ['If-Range', '"v0"'],
      ],
    });
    expect([same.status, other.status]).toEqual([206, 200]);
  });
});

describe('a question with a condition', () => {
  test.each([
    ['If-None-Match', ETAG, 304],
    ['If-None-Match', '"v0"', 200],
    ['If-Modified-Since', CHANGED, 304],
    ['If-Match', '"v0"', 412],
    ['If-Match', ETAG, 200],
  ])('%s: %s is answered %i by the legacy server', async (name, value, status) => {
    for (const method of ['GET', 'HEAD']) {
      const answer = await send({ method, headers: [[name, value]] });
      expect([answer.status, answer.header('etag'), answer.header('last-modified')]).toEqual([status, ETAG, CHANGED]);
      if (status === 304 || method === 'HEAD') expect(answer.body).toBe('');
    }
  });

  test('leaves the connection fit for the next one', async () => {
    const [keep, own]: [string, string][] = [
      ['Connection', 'keep-alive'],
      ['Cookie', cookie],
    ];
    const first = requestBytes({ target: '/education/hias/file', host, headers: [own!, keep!, ['If-None-Match', ETAG]] });
    const second = requestBytes({ method: 'HEAD', target: '/education/hias/file', host, headers: [own!, keep!] });
    const third = requestBytes({ target: '/education/hias/file', host, headers: [own!, ['Range', 'bytes=0-0']] });
    const { text } = await sendRaw(app.port, Buffer.concat([first, second, third]));
    expect([...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => status)).toEqual(['304', '200', '206']);
  });
});

test('half an answer to a client that knows no chunks is a broken connection, never a short whole one', async () => {
  const cut = await startRawServer((_path, socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n', () =>
      setTimeout(() => socket.resetAndDestroy(), 100),
    );
  });
  const other = await startApp({
    change: deps => withUpstreams(deps, ({ path }) => (path.startsWith('/education/hias/moodle') ? cut.origin : null)),
  });
  const socket = new Socket();
  const ended = new Promise<string>(resolve => {
    socket.once('end', () => resolve('whole')).once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
  });
  const where = `www3.hants.localhost:${other.port}`;
  socket.connect(other.port, '127.0.0.1', () =>
    socket.write(requestBytes({ target: '/education/hias/moodle/x', host: where, version: '1.0' })),
  );
  socket.resume();
  expect(await ended).toBe('ECONNRESET');
  await other.close();
  await cut.close();
}, 60_000);
