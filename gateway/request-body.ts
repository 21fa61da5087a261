import { PassThrough } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { bytesPassed } from './passed-bytes.ts';

/**
 * The body of a request, for undici to send. Not the request itself: undici destroys what it cannot finish sending, and with the
 * request the browser's connection would go.
 */
export function bodyOf(request: FastifyRequest, silenceMs: number): PassThrough | null {
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

/** While somebody must send or take something: nothing at all for so long, and the connection ends. Returns what ends the limit. */
export function limitSilence({ raw: { socket } }: FastifyRequest, ms: number): () => void {
  socket.setTimeout(ms);
  return () => {
    // By now it may be Node's own limit, for a connection without a request.
    if (socket.timeout === ms) socket.setTimeout(0);
  };
}
