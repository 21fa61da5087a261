import { createConnection, type Socket } from 'node:net';

/** What came back over a raw connection, as far as one answer can be read from it. */
export type RawAnswer = {
  /** 0 when the connection ended without an answer. */
  status: number;
  /** Every header, lower-case name, in order. */
  headers: [string, string][];
  header(name: string): string | undefined;
  body: string;
  /** All bytes as Latin-1. */
  text: string;
};

export type RawRequest = {
  method?: string;
  target: string;
  host?: string | null;
  version?: string;
  headers?: readonly (readonly [string, string])[];
  body?: string | Buffer;
};

/** The bytes of a request exactly as given: nothing is added but the Host and an end of the connection. */
export function requestBytes({
  method = 'GET',
  target,
  host = null,
  version = '1.1',
  headers = [],
  body = Buffer.alloc(0),
}: RawRequest): Buffer {
  const lines = [`${method} ${target} HTTP/${version}`];
  if (host !== null) lines.push(`Host: ${host}`);
  for (const [name, value] of headers) lines.push(`${name}: ${value}`);
  if (!headers.some(([name]) => name.toLowerCase() === 'connection')) lines.push('Connection: close');
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), Buffer.from(body)]);
}

/** Sends bytes that no HTTP client would send and reads until the other side ends, or `until` finds enough. */
export function sendRaw(port: number, bytes: Buffer | string, until: (text: string) => boolean = () => false): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = createConnection(port, '127.0.0.1', () => socket.write(bytes));
    const done = () => {
      socket.destroy();
      resolve(readAnswer(Buffer.concat(chunks).toString('latin1')));
    };
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      if (until(Buffer.concat(chunks).toString('latin1'))) done();
    });
    socket.on('end', done);
    socket.on('close', done);
    socket.on('error', error => ((error as NodeJS.ErrnoException).code === 'ECONNRESET' ? done() : reject(error)));
  });
}

export const ask = (port: number, request: RawRequest): Promise<RawAnswer> => sendRaw(port, requestBytes(request));

function readAnswer(text: string): RawAnswer {
  // An interim answer (100 Continue, 103 Early Hints) is no answer yet.
  const last = text.replace(/^(?:HTTP\/1\.1 1(?!01)\d\d[^\r]*\r\n(?:[^\r]+\r\n)*\r\n)+/, '');
  const [head = '', ...rest] = last.split('\r\n\r\n');
  const [first = '', ...lines] = head.split('\r\n');
  const headers = lines.map(line => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as [string, string];
  });
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1] ?? 0),
    headers,
    header: name => headers.find(([known]) => known === name)?.[1],
    body: rest.join('\r\n\r\n'),
    text,
  };
}

/** `closed` resolves with everything that came, as Latin-1. */
export type Handshake = { answer: RawAnswer; socket: Socket; closed: Promise<string> };

/** A WebSocket handshake on a raw connection; resolves with the connection once the first bytes of an answer are there. */
export function upgrade(port: number, request: RawRequest): Promise<Handshake> {
  const headers: [string, string][] = [
    ['Connection', 'Upgrade'],
    ['Upgrade', 'websocket'],
    ['Sec-WebSocket-Version', '13'],
    ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
  ];
  const given = new Set((request.headers ?? []).map(([name]) => name.toLowerCase()));
  const all = [...headers.filter(([name]) => !given.has(name.toLowerCase())), ...(request.headers ?? [])];
  return new Promise((resolve, reject) => {
    const socket = createConnection(port, '127.0.0.1', () => socket.write(requestBytes({ ...request, headers: all })));
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    const closed = new Promise<string>(ended => socket.once('close', () => ended(Buffer.concat(chunks).toString('latin1'))));
    socket.once('data', chunk => resolve({ answer: readAnswer(chunk.toString('latin1')), socket, closed }));
    socket.once('end', () => resolve({ answer: readAnswer(''), socket, closed }));
    socket.once('error', error => ((error as NodeJS.ErrnoException).code === 'ECONNRESET' ? undefined : reject(error)));
  });
}

/** A masked text frame (RFC 6455 §5.2) of less than 126 bytes. */
export function textFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const mask = Buffer.from([1, 2, 3, 4]);
  return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length]), mask, payload.map((byte, index) => byte ^ mask[index % 4]!)]);
}

/** The next bytes of a connection. */
export const nextBytes = (socket: Socket): Promise<Buffer> => new Promise(resolve => socket.once('data', resolve));
