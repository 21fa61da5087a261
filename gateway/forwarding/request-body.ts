import type { FastifyRequest } from 'fastify';
import { bytesPassed } from './passed-bytes.ts';

/** Where a body goes. */
export type BodyTarget = {
  /** False if it wants no more until `resume`. */
  write(piece: Buffer): boolean;
  /** @param last what the framing wants behind it */
  end(last?: string): void;
};

/** The body of a request on its way to a legacy server. */
export type RequestBody = {
  /** In bytes, as it was said; null if nobody knows beforehand. */
  length: string | null;
  sendTo(target: BodyTarget): void;
  resume(): void;
  /** Nobody reads it any more. */
  drop(): void;
};

/** What the legacy server is sent as a body; null if there is none. */
export function bodyOf(request: FastifyRequest): RequestBody | null {
  if (request.keptForm) return keptBody(request.keptForm.body);
  const { raw, headers } = request;
  const chunked = headers['transfer-encoding'] !== undefined;
  const length = chunked ? null : (headers['content-length'] ?? '0');
  if (length === '0') return null;

  let take = (_piece: Buffer) => {};
  let end = () => {};
  return {
    length,
    sendTo(target) {
      take = piece => {
        bytesPassed(piece.length);
        if (!(chunked ? writeChunk(target, piece) : target.write(piece))) raw.pause();
      };
      end = () => target.end(chunked ? '0\r\n\r\n' : undefined);
      raw.on('data', take).once('end', end);
    },
    resume: () => void raw.resume(),
    // What nobody reads any more must still be taken off the connection, or the next request on it would wait behind it for ever.
    drop() {
      raw.off('data', take).off('end', end).resume();
    },
  };
}

/** A form that was kept goes in the place of the one that was pressed. */
const keptBody = (bytes: Buffer): RequestBody => ({
  length: String(bytes.length),
  sendTo(target) {
    target.write(bytes);
    target.end();
  },
  resume: () => {},
  drop: () => {},
});

/** RFC 9112 §7.1. */
function writeChunk(target: BodyTarget, piece: Buffer): boolean {
  target.write(Buffer.from(`${piece.length.toString(16)}\r\n`));
  target.write(piece);
  return target.write(LINE_END);
}
const LINE_END = Buffer.from('\r\n');

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
