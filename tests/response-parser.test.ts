import { createServer, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ResponseFault, ResponseParser } from '#gateway/forwarding/response-parser.ts';

type Read = {
  informed: number[];
  status: number;
  reason: string;
  headers: string[];
  length: number;
  body: string;
  done: boolean;
  left: string;
};

/** What a parser makes of these pieces, each in a buffer that is used again, as a connection's is; null if it refuses them. */
function read(pieces: readonly string[], { method = 'GET', ends = false } = {}): Read | null {
  const parser = new ResponseParser();
  const seen: Read = { informed: [], status: 0, reason: '', headers: [], length: -2, body: '', done: false, left: '' };
  parser.begin(method, {
    onInformation: status => void seen.informed.push(status),
    onHead: (status, reason, headers, length) => Object.assign(seen, { status, reason, headers, length }),
    onData: (bytes, start, end) => {
      seen.body += bytes.toString('latin1', start, end);
    },
  });
  const lent = Buffer.alloc(64 * 1024, '\r\n\r\n');
  try {
    for (const piece of pieces) {
      const count = lent.write(piece, 'latin1');
      seen.left += piece.slice(parser.read(lent, count));
    }
  } catch (error) {
    if (error instanceof ResponseFault) return null;
    throw error;
  }
  seen.done = ends ? parser.end() : parser.done;
  return seen;
}

const page = 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-Empty:\r\nX-Tabs:\t a\tb \t\r\nContent-Length: 5\r\n\r\nhello';
const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;why=not\r\nhello\r\n00000A\r\n and more.\r\n0\r\nX-Sum: 1\r\n\r\n';
const informed = `HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n${page}`;
const untilTheEnd = 'HTTP/1.0 200\r\n\r\nold\r\n\r\nserver';

test('a page, chunks, answers before the answer, and an answer that ends with its connection', () => {
  const headers = ['Content-Type', 'text/html', 'X-Empty', '', 'X-Tabs', 'a\tb', 'Content-Length', '5'];
  const whole = { informed: [], status: 200, reason: 'OK', headers, length: 5, body: 'hello', done: true, left: '' };
  expect(read([page])).toEqual(whole);
  expect(read([informed])).toEqual({ ...whole, informed: [103, 100] });
  expect(read([chunked])).toMatchObject({ length: -1, body: 'hello and more.', done: true, left: '' });
  expect(read([untilTheEnd])).toMatchObject({ reason: '', length: -1, body: 'old\r\n\r\nserver', done: false });
  expect(read([untilTheEnd], { ends: true })).toMatchObject({ done: true });
});

test.each([page, chunked, informed])('reads the same, however it is cut into pieces: %j', bytes => {
  const whole = read([bytes]);
  const cuts = fc.uniqueArray(fc.integer({ min: 1, max: bytes.length - 1 }), { maxLength: 6 });
  fc.assert(
    fc.property(cuts, places => {
      const at = [0, ...places.toSorted((a, b) => a - b), bytes.length];
      expect(read(at.slice(1).map((end, index) => bytes.slice(at[index], end)))).toEqual(whole);
    }),
  );
  expect(read([...bytes])).toEqual(whole);
});

test('what stands behind the end belongs to nobody', () => {
  for (const bytes of [page, chunked]) expect(read([`${bytes}HTTP/1.1 200 OK`])).toMatchObject({ done: true, left: 'HTTP/1.1 200 OK' });
  expect(read([page, 'evil'])).toMatchObject({ body: 'hello', left: 'evil' });
});

test('there is no body behind a HEAD, a 204 and a 304, whatever they say', () => {
  const said = (status: number) => `HTTP/1.1 ${status} X\r\nContent-Length: 5\r\n\r\n`;
  expect(read([said(200)], { method: 'HEAD' })).toMatchObject({ length: 0, done: true });
  for (const status of [204, 304]) expect(read([`${said(status)}hello`])).toMatchObject({ length: 0, body: '', done: true, left: 'hello' });
});

test.each([
  ['half a page', page.slice(0, -1)],
  ['half a chunk', chunked.slice(0, -20)],
  ['a missing last chunk', chunked.slice(0, chunked.indexOf('0\r\nX-Sum'))],
  ['half a header', page.slice(0, 30)],
])('%s is not whole when the connection ends', (_what, bytes) => {
  expect(read([bytes], { ends: true })).toMatchObject({ done: false });
});

test.each([
  ['HTTP/1.1 200 OK\r\n\r\n', false],
  ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', true],
  ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Close\r\n\r\n', false],
  ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x, close\r\n\r\n', false],
  ['HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n', false],
  ['HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n\r\n', true],
  ['HTTP/1.1 204 No\r\n\r\n', true],
])('%j leaves a connection for the next: %s', (bytes, kept) => {
  const parser = new ResponseParser();
  parser.begin('GET', { onInformation: () => {}, onHead: () => {}, onData: () => {} });
  parser.read(Buffer.from(bytes), bytes.length);
  expect(parser.keepAlive).toBe(kept);
});

const head = (...lines: string[]) => `HTTP/1.1 200 OK\r\n${lines.map(line => `${line}\r\n`).join('')}\r\nhi`;
const inChunks = (body: string) => `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body}`;

/** What two servers could read in two ways. */
const refused: readonly (readonly [string, string])[] = [
  ['a folded line #58', head('X: a\r\n b', 'Content-Length: 2')],
  ['bare line feeds #58', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nhi'],
  ['one bare line feed #58', head('X: a\nContent-Length: 2')],
  ['a bare carriage return', 'HTTP/1.1 200 OK\rContent-Length: 2\r\n\r\nhi'],
  ['a space before the colon #61', head('Content-Length : 2')],
  ['no name', head(': x', 'Content-Length: 2')],
  ['no colon', head('foo', 'Content-Length: 2')],
  ['a name of other letters', head('Conten\xadt-Length: 2')],
  ['a control character', head('X: a\x01b', 'Content-Length: 2')],
  ['a NUL', head('X: a\0b', 'Content-Length: 2')],
  ['two lengths #57', head('Content-Length: 2', 'Content-Length: 3')],
  ['one length twice #57', head('Content-Length: 2', 'Content-Length: 2')],
  ['a list of lengths #57', head('Content-Length: 2, 2')],
  ['a length with a sign', head('Content-Length: +2')],
  ['an empty length', head('Content-Length:')],
  ['a length with a no-break space', head('Content-Length: 2\xa0')],
  ['a length past counting', head('Content-Length: 99999999999999999999')],
  ['a length and chunks #57', head('Content-Length: 2', 'Transfer-Encoding: chunked')],
  ['chunks and a length #57', head('Transfer-Encoding: chunked', 'Content-Length: 2')],
  ['chunks twice #57', head('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked')],
  ['another coding #58', head('Transfer-Encoding: gzip, chunked')],
  ['chunks from HTTP/1.0 #58', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n'],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nhi'],
  ['a status below 100', 'HTTP/1.1 099 OK\r\nContent-Length: 2\r\n\r\nhi'],
  ['HTTP/2', 'HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nhi'],
  ['HTTP/0.9', 'hi'],
  ['another protocol', 'SSH-2.0-OpenSSH_9.2\r\n'],
  ['switched protocols that nobody asked for', 'HTTP/1.1 101 X\r\nUpgrade: x\r\n\r\n'],
  ['endless answers before the answer', 'HTTP/1.1 102 X\r\n\r\n'.repeat(101)],
  ['headers without an end', `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(17_000)}`],
  ['a chunk without a size', inChunks('\r\nhi\r\n0\r\n\r\n')],
  ['a chunk’s size with a space', inChunks('2 \r\nhi\r\n0\r\n\r\n')],
  ['a chunk’s size with a sign', inChunks('+2\r\nhi\r\n0\r\n\r\n')],
  ['a chunk’s size past counting', inChunks('10000000000000000\r\nhi')],
  ['a chunk longer than it says #59', inChunks('2\r\nhiXX0\r\n\r\n')],
  ['a chunk that ends with a line feed #59', inChunks('2\r\nhi\n0\r\n\r\n')],
  ['a size that ends with a line feed #59', inChunks('2\nhi\r\n0\r\n\r\n')],
  ['an endless extension of a chunk', inChunks(`2;${'x'.repeat(5_000)}`)],
  ['a trailer without a name', inChunks('2\r\nhi\r\n0\r\n: x\r\n\r\n')],
  ['endless trailers', inChunks(`2\r\nhi\r\n0\r\n${`X: ${'a'.repeat(100)}\r\n`.repeat(200)}\r\n`)],
  ['an end with a line feed #59', inChunks('2\r\nhi\r\n0\r\n\n')],
];

test.each(refused)('%s is refused', (_why, bytes) => {
  expect(read([bytes], { ends: true })).toBeNull();
  // Byte by byte nothing of it may be read otherwise.
  expect(read([...bytes], { ends: true })).toBeNull();
});

/** Node's own strict parser is the second opinion: what ours accepts, it reads the same. */
describe('beside Node’s own parser', () => {
  const pieces = fc.constantFrom(
    ...['HTTP/1.1 200 OK\r\n', 'HTTP/1.0 200 OK\r\n', 'Content-Length: 2\r\n', 'Content-Length: 4\r\n', 'Transfer-Encoding: chunked\r\n'],
    ...[
      'Connection: close\r\n',
      'X: y\r\n',
      'X : y\r\n',
      ' folded\r\n',
      '\r\n',
      '\n',
      'hi',
      '2\r\nhi\r\n',
      '0\r\n\r\n',
      'HTTP/1.1 100 C\r\n\r\n',
    ],
  );
  const response = fc.array(pieces, { minLength: 1, maxLength: 7 }).map(all => `HTTP/1.1 200 OK\r\n${all.join('')}`);

  test('what ours accepts Node reads the same', async () => {
    const server = createServer();
    let bytes = '';
    server.on('connection', socket => socket.on('error', () => {}).once('data', () => socket.end(bytes, 'latin1')));
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(response, async text => {
        const ours = read([text], { ends: true });
        if (!ours?.done) return;
        bytes = text.slice(0, text.length - ours.left.length);
        accepted += 1;
        expect(await askNode(port)).toEqual({ status: ours.status, headers: ours.headers, body: ours.body });
      }),
      { numRuns: 600 },
    );
    server.close();
    expect(accepted).toBeGreaterThan(20);
  });
});

/** What Node's client makes of the same answer, its body as far as it came. */
function askNode(port: number): Promise<{ status: number | undefined; headers: string[]; body: string }> {
  return new Promise((resolve, reject) => {
    const request = get({ port, host: '127.0.0.1', agent: false }, (answer: IncomingMessage) => {
      let body = '';
      const done = () => resolve({ status: answer.statusCode, headers: answer.rawHeaders, body });
      answer.setEncoding('latin1').on('data', (piece: string) => {
        body += piece;
      });
      answer.once('end', done).once('error', done);
    });
    request.once('error', reject);
  });
}
