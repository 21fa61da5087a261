import { closeSync, openSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { OperatorFault } from '#config/operator-fault.ts';
import { createLineWriter } from './line-writer.ts';

/**
 * A line of JSON about each request that is over. A line handed to the logger would cost as much as all the rest of a request, so
 * these are put together by hand and written many at a time; no request ever waits for the disk.
 */
export type AccessLog = {
  /** @param status 0 if nobody got an answer */
  note(request: FastifyRequest, reply: FastifyReply, status: number): void;
  /** How many lines were given up because the disk, or whoever reads them, could not keep up. */
  lost(): number;
  /** Writes what is left, as far as somebody takes it. */
  close(): Promise<void>;
};

const EVERY_MS = 500;
const FULL = 256 * 1024;
// What reaches a pipe in one piece (PIPE_BUF on Linux): several workers may write to the same one.
const PIPE_PIECE = 4_096;
// About ten thousand lines: what may wait for a disk that is slow, and no more.
const MOST_WAITING = 4 * 1024 * 1024;

/** @param file a path, or - for standard output. Throws OperatorFault when it cannot be written. */
export function openAccessLog(file: string, now: () => number, openWriter = createLineWriter): AccessLog {
  const descriptor = file === '-' ? 1 : openForGood(file);
  const writer = openWriter(descriptor, file === '-' ? PIPE_PIECE : FULL);
  const sentBefore = new WeakMap<Socket, number>();
  let waiting = '';
  let writing: Promise<void> | null = null;
  let lost = 0;

  async function writeWaiting(): Promise<void> {
    // What came meanwhile is a few lines, and to write those costs as much as to write hundreds: it waits until it is full too.
    for (let least = 0; waiting.length > least; least = FULL) {
      const lines = waiting;
      waiting = '';
      lost += await writer.write(lines);
    }
  }
  const flush = () => {
    writing ??= writeWaiting().finally(() => {
      writing = null;
    });
    return writing;
  };
  const timer = setInterval(flush, EVERY_MS).unref();

  /** With its headers, as the connection counts; of a connection that is kept open, since the answer before. */
  function bytesOf({ socket }: FastifyRequest): number {
    const sent = socket.bytesWritten;
    const before = sentBefore.get(socket) ?? 0;
    sentBefore.set(socket, sent);
    return sent - before;
  }

  return {
    note(request, reply, status) {
      const bytes = bytesOf(request);
      if (waiting.length > MOST_WAITING) {
        lost += 1;
        return;
      }
      waiting += lineOf(request, { status, bytes, ms: reply.elapsedTime }, now());
      if (waiting.length > FULL) void flush();
    },
    lost: () => lost,
    async close() {
      clearInterval(timer);
      writer.hurry();
      await writing;
      await flush();
      if (descriptor !== 1) closeSync(descriptor);
    },
  };
}

/** Who asked for what, and what came of it. No names, and no query: it can hold a one-time link. */
function lineOf(request: FastifyRequest, { status, bytes, ms }: { status: number; bytes: number; ms: number }, at: number): string {
  const query = request.url.indexOf('?');
  return `${JSON.stringify({
    time: new Date(at).toISOString(),
    reference: request.id,
    person: request.signedIn?.person.id ?? null,
    organisation: request.signedIn?.organisation?.id ?? null,
    service: request.page?.service ?? null,
    method: request.method,
    host: request.headers.host ?? null,
    path: query < 0 ? request.url : request.url.slice(0, query),
    status,
    bytes,
    ms: Math.round(ms * 10) / 10,
  })}\n`;
}

function openForGood(file: string): number {
  try {
    return openSync(file, 'a', 0o640);
  } catch {
    throw new OperatorFault(`The file ${file} cannot be written: set ACCESS_LOG to one that this user may write.`);
  }
}
