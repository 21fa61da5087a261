import { write } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';

export type LineWriter = {
  /** Writes lines, in order, and returns how many of them could not be. */
  write(lines: string): Promise<number>;
  /** From now on whoever reads has two seconds: a gateway that ends waits for nobody longer. */
  hurry(): void;
};

const AGAIN_MS = 20;
const LAST_PATIENCE_MS = 2_000;
const NEWLINE = 10;

const writeTo = promisify(write);

/**
 * Writes whole lines, in pieces of `most` bytes where they fit. A pipe that is full says so (EAGAIN), because whatever else writes to
 * standard output has made it non-blocking; its reader is waited for.
 */
export function createLineWriter(descriptor: number, most: number): LineWriter {
  // The rest of a line whose beginning has been written: without it the next line would be spoiled too.
  let owed: Buffer = Buffer.alloc(0);
  let patientUntil = Number.POSITIVE_INFINITY;

  async function writeSome(piece: Buffer): Promise<number> {
    for (;;) {
      try {
        return (await writeTo(descriptor, piece)).bytesWritten;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || performance.now() > patientUntil) throw error;
        await wait(AGAIN_MS);
      }
    }
  }

  return {
    async write(lines) {
      const bytes = Buffer.concat([owed, Buffer.from(lines)]);
      let done = 0;
      try {
        while (done < bytes.length) done += await writeSome(bytes.subarray(done, endOfPiece(bytes, done, most)));
      } catch {
        // A full disk, or nobody reads any more: what is missing is counted by the caller, who goes on.
      }
      const inLine = done > 0 ? bytes[done - 1] !== NEWLINE : owed.length > 0;
      owed = inLine ? bytes.subarray(done, bytes.indexOf(NEWLINE, done) + 1) : Buffer.alloc(0);
      return bytes.subarray(done + owed.length).reduce((count, byte) => count + Number(byte === NEWLINE), 0);
    },
    hurry() {
      patientUntil = performance.now() + LAST_PATIENCE_MS;
    },
  };
}

/** Behind the last line that ends within so many bytes, or behind the first if it is longer. */
function endOfPiece(bytes: Buffer, from: number, most: number): number {
  const last = bytes.lastIndexOf(NEWLINE, from + most - 1);
  return (last < from ? bytes.indexOf(NEWLINE, from) : last) + 1;
}
