import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { BodyTarget } from '#gateway/forwarding/request-body.ts';
import { requestHead } from '#gateway/forwarding/request-head.ts';
import type { ResponseHandler, UpstreamConnection } from '#gateway/forwarding/upstream-connection.ts';
import { createUpstreamPool, type UpstreamPool } from '#gateway/forwarding/upstream-pool.ts';

/** A legacy server that says what the test says, by connection and as bytes. */
let server: Server;
let sockets: Socket[] = [];
let asked: string[] = [];
let answer: (socket: Socket, request: string) => unknown;
let pool: UpstreamPool;

const page = (more = '') => `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n${more}\r\nhi`;

beforeEach(async () => {
  [sockets, asked, answer] = [[], [], socket => void socket.write(page())];
  server = createServer(socket => {
    sockets.push(socket);
    socket
      .on('error', () => {})
      .on('data', bytes => {
        asked.push(bytes.toString('latin1'));
        void answer(socket, bytes.toString('latin1'));
      });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  pool = openPool();
});
afterEach(async () => {
  pool.close();
  for (const socket of sockets) socket.destroy();
  await new Promise(resolve => server.close(resolve));
});

const openPool = (ms = { connectMs: 1_000, headersMs: 1_000, bodyMs: 1_000 }) =>
  createUpstreamPool({
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tls: { servername: '', rejectUnauthorized: true },
    connections: 10,
    ...ms,
  });

type Heard = { status: number; body: string; code: string | undefined; connection: UpstreamConnection };

/** Asks and hears the whole answer; `code` is why there is none, or the message where there is no code. */
function ask(
  options: { method?: string; body?: ((target: BodyTarget) => void) | null; onData?: (heard: Heard) => void } = {},
): Promise<Heard> {
  const { method = 'GET', body = null, onData } = options;
  return new Promise(resolve => {
    const heard = { status: 0, body: '', code: undefined } as Heard;
    const handler: ResponseHandler = {
      onSend: () => {},
      onInformation: () => {},
      onHead(status) {
        heard.status = status;
      },
      onData(bytes, start, end) {
        heard.body += bytes.toString('latin1', start, end);
        onData?.(heard);
      },
      onEnd: () => resolve(heard),
      onError: error => resolve(Object.assign(heard, { code: error.code ?? error.message })),
    };
    const sent = body && { length: null, sendTo: body, resume: () => {}, drop: () => {} };
    heard.connection = pool.send({ method, head: requestHead(method, '/', ['host', 'a.example'], sent), body: sent }, handler);
  });
}

test('one after the other share a connection, two at once do not', async () => {
  for (let times = 0; times < 3; times += 1) expect(await ask()).toMatchObject({ status: 200, body: 'hi', code: undefined });
  expect(sockets.length).toBe(1);
  await Promise.all([ask(), ask()]);
  expect(sockets.length).toBe(2);
});

test.each([
  ['says so', page('Connection: close\r\n')],
  ['keeps it for a second only', page('Keep-Alive: timeout=1\r\n')],
  ['keeps it for no time', page('Keep-Alive: timeout=0\r\n')],
  ['says both, as an old one', 'HTTP/1.0 200 OK\r\nConnection: close\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi'],
  ['says something behind its answer', `${page()}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`],
])('a connection is not used again if its server %s', async (_what, said) => {
  answer = socket => void socket.write(said);
  expect(await ask()).toMatchObject({ body: 'hi' });
  expect(await ask()).toMatchObject({ body: 'hi' });
  expect(sockets.length).toBe(2);
});

test('what a server says unasked is nobody’s answer', async () => {
  await ask();
  const gone = once(sockets[0]!, 'close');
  sockets[0]!.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil');
  await gone;
  expect(await ask()).toMatchObject({ body: 'hi' });
});

test('an idle connection is closed before its server would close it', async () => {
  answer = socket => void socket.write(page('Keep-Alive: timeout=2\r\n'));
  await ask();
  const began = performance.now();
  await once(sockets[0]!, 'close');
  expect(performance.now() - began).toBeLessThan(2_000);
});

test('nothing is asked twice, even where the server hangs up without a word', async () => {
  await ask();
  answer = socket => void socket.destroy();
  expect(await ask()).toMatchObject({ status: 0, code: expect.any(String) });
  expect(asked.length).toBe(2);
});

test.each([
  ['no answer', '', 'HEADERS_TIMEOUT'],
  ['half an answer', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi', 'BODY_TIMEOUT'],
])('who waits for %s is told', async (_what, said, code) => {
  pool = openPool({ connectMs: 200, headersMs: 200, bodyMs: 200 });
  answer = socket => void socket.write(said);
  expect(await ask()).toMatchObject({ code });
  await expect.poll(() => sockets[0]!.destroyed).toBe(true);
});

test('a server that says its headers a letter at a time is waited for no longer', async () => {
  pool = openPool({ connectMs: 200, headersMs: 200, bodyMs: 200 });
  answer = async socket => {
    socket.write('HTTP/1.1 200 OK\r\nX: ');
    while (!socket.destroyed) {
      socket.write('a');
      await wait(20);
    }
  };
  expect(await ask()).toMatchObject({ code: 'HEADERS_TIMEOUT' });
});

test('a server that says that it is at it is waited for', async () => {
  pool = openPool({ connectMs: 200, headersMs: 200, bodyMs: 200 });
  answer = async socket => {
    for (let times = 0; times < 15; times += 1) {
      socket.write('HTTP/1.1 102 Processing\r\n\r\n');
      await wait(50);
    }
    socket.write(page());
  };
  expect(await ask()).toMatchObject({ body: 'hi' });
});

test('an answer that its reader has stopped is not a slow one', async () => {
  pool = openPool({ connectMs: 200, headersMs: 200, bodyMs: 200 });
  answer = socket => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhi');
  const heard = await ask({
    async onData({ connection, body }) {
      if (body !== 'hi') return;
      connection.pause();
      await wait(500);
      sockets[0]!.write('ho');
      connection.resume();
    },
  });
  expect(heard).toMatchObject({ body: 'hiho', code: undefined });
});

test('a body goes in chunks, and an answer before its end ends the connection', async () => {
  const target = Promise.withResolvers<BodyTarget>();
  answer = (socket, request) => {
    if (request.includes('part')) socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno');
  };
  const heard = ask({ method: 'POST', body: target.resolve });
  (await target.promise).write(Buffer.from('4\r\npart\r\n'));
  expect(await heard).toMatchObject({ status: 413, body: 'no', code: undefined });
  expect(asked.join('')).toBe(
    'POST / HTTP/1.1\r\nhost: a.example\r\ntransfer-encoding: chunked\r\nconnection: keep-alive\r\n\r\n4\r\npart\r\n',
  );
  answer = socket => void socket.write(page());
  await ask();
  expect(sockets.length).toBe(2);
});

test('whoever gives up is not told any more, and its connection ends', async () => {
  answer = () => {};
  const told = ask();
  await expect.poll(() => asked.length).toBe(1);
  pool.close();
  expect(await told).toMatchObject({ code: 'the gateway closes its connections' });
  await expect.poll(() => sockets[0]!.destroyed).toBe(true);
});

test('a server that cannot be reached is told by its code', async () => {
  const { port } = server.address() as AddressInfo;
  await new Promise(resolve => server.close(resolve));
  expect(await ask(), String(port)).toMatchObject({ code: 'ECONNREFUSED' });
});

test('no header can end its line', () => {
  for (const value of ['a\r\nx: y', 'a\nb', 'a\0']) expect(() => requestHead('GET', '/', ['x', value], null)).toThrow('ends its own line');
});

test('where a body is expected, none is said too', () => {
  for (const method of ['POST', 'PUT', 'PATCH']) expect(requestHead(method, '/', [], null)).toContain('\r\ncontent-length: 0\r\n');
  expect(requestHead('GET', '/', [], null)).not.toContain('content-length');
  expect(requestHead('POST', '/', ['content-length', '0'], null).match(/content-length/g)).toHaveLength(1);
});

test('how long a body is, is said by the body alone', () => {
  const body = (length: string | null) => ({ length, sendTo: () => {}, resume: () => {}, drop: () => {} });
  const framing = (head: string) => head.match(/^(?:content-length|transfer-encoding): .*$/gm);
  for (const method of ['GET', 'POST']) {
    for (const said of [[], ['content-length', '7'], ['content-length', '0']]) {
      expect(framing(requestHead(method, '/', said, body('5')))).toEqual(['content-length: 5']);
      expect(framing(requestHead(method, '/', said, body(null)))).toEqual(['transfer-encoding: chunked']);
    }
  }
  expect(framing(requestHead('GET', '/', ['content-length', '7'], null))).toEqual(['content-length: 0']);
});

test('a reader that stops at the end of its answer stops nobody else’s', async () => {
  await ask({ onData: ({ connection }) => connection.pause() });
  expect(await ask()).toMatchObject({ body: 'hi', code: undefined });
  expect(sockets.length).toBe(1);
});

test('a connection that has not sent all of a request serves no other', async () => {
  answer = (socket, request) => void (request.startsWith('POST') ? socket.pause().write(page()) : socket.write(page()));
  const big = Buffer.alloc(20_000_000, 'x');
  const body = (target: BodyTarget) => {
    target.write(big);
    target.end();
  };
  expect(await ask({ method: 'POST', body })).toMatchObject({ body: 'hi' });
  expect(await ask()).toMatchObject({ body: 'hi' });
  expect(sockets.length).toBe(2);
});

test('a pool that is closed opens nothing', async () => {
  pool.close();
  await expect(ask()).rejects.toThrow('closed');
  expect(sockets.length).toBe(0);
});
