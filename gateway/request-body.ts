import { PassThrough } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { bytesPassed } from './passed-bytes.ts';

/**
 * The body of a request, for undici to send. Not the request itself: undici destroys what it cannot finish sending, and with the
 * request the browser's connection would go.
 */
export function bodyOf(request: FastifyRequest, silenceMs: number): PassThrough | null {
  if (request.keptForm) return keptBodyOf(request.keptForm.body);
  const { raw, headers } = request;
  const length = headers['content-length'];
  if (headers['transfer-encoding'] === undefined && (length === undefined || length === '0')) return null;
  const body = new PassThrough();
  const heardAll = limitSilence(request, silenceMs);
  raw.once('end', heardAll);
  // Whoever read it may have stopped listening when it fails, and that must not end the process.
  body.on('error', () => {});
  raw.on('data', (chunk: Buffer) => bytesPassed(chunk.length)).pipe(body);
  // What nobody reads any more must still be taken off the connection, or the next request on it would wait behind it for ever.
  body.once('close', () => {
    heardAll();
    raw.unpipe(body);
    raw.resume();
  });
  return body;
}

/** A form that was kept goes in the place of the one that was pressed. */
export const keptBodyOf = (bytes: Buffer): PassThrough => new PassThrough().end(bytes);

/** The whole of a small body, if it comes in time; else null, and Node throws the rest away once there is an answer. */
export function smallBody({ raw, headers }: FastifyRequest, most: number): Promise<Buffer | null> {
  if (Number(headers['content-length'] ?? 0) > most) return Promise.resolve(null);
  const { promise, resolve } = Promise.withResolvers<Buffer | null>();
  const chunks: Buffer[] = [];
  let size = 0;
  const take = (chunk: Buffer) => {
    size += chunk.length;
    if (size > most) resolve(null);
    else chunks.push(chunk);
  };
  const whole = () => resolve(Buffer.concat(chunks));
  const none = () => resolve(null);
  const timer = setTimeout(none, SMALL_BODY_MS);
  raw.on('data', take).once('end', whole).once('close', none);
  return promise.finally(() => {
    clearTimeout(timer);
    raw.off('data', take).off('end', whole).off('close', none);
  });
}

const SMALL_BODY_MS = 30_000;

/** While somebody must send or take something: nothing at all for so long, and the connection ends. Returns what ends the limit. */
export function limitSilence({ raw: { socket } }: FastifyRequest, ms: number): () => void {
  socket.setTimeout(ms);
  return () => {
    // By now it may be Node's own limit, for a connection without a request.
    if (socket.timeout === ms) socket.setTimeout(0);
  };
}
