import { connect } from 'node:net';

/** What is said over one connection: what to ask next, or null to end it, and who hears of each answer. */
export type Talk = {
  /** A whole request. */
  next(): string | null;
  answered(status: string, ms: number): void;
  /** How long to rest before each request, on average: nobody's connections keep step with each other. Left out: not at all. */
  pauseMs?: number;
};

/** Why a talk broke off: its connection ended before an answer was whole, there was silence, or anything else. */
export class BrokenTalk extends Error {
  override name = 'BrokenTalk';
  readonly kind: 'lost' | 'timeouts' | 'errors';
  constructor(kind: 'lost' | 'timeouts' | 'errors', why = '') {
    super(why);
    this.kind = kind;
  }
}

const longestPiece = 64 * 1024;
const PATIENCE_MS = 30_000;

/**
 * Sends request after request over one kept-alive connection, each once the one before is answered. Resolves when there is none
 * left, or when the connection ended between two; rejects with BrokenTalk. An HTTP client would cost several times as much for each
 * request, on the core that the upstream needs; this one knows only pages with a Content-Length.
 */
export function talk(port: number, { next, answered, pauseMs = 0 }: Talk): Promise<void> {
  return new Promise((resolve, reject) => {
    let asked = 0;
    let waiting = false;
    let answer = createAnswer();
    const onread = { buffer: Buffer.allocUnsafeSlow(longestPiece), callback: hear };
    const socket = connect({ port, host: '127.0.0.1', noDelay: true, onread }, rest);
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new BrokenTalk('timeouts')));

    function rest(): void {
      if (pauseMs === 0) ask();
      else setTimeout(() => socket.writable && ask(), 2 * pauseMs * Math.random());
    }
    function ask(): void {
      const request = next();
      if (request === null) return void socket.end();
      waiting = true;
      asked = performance.now();
      socket.write(request, 'latin1');
    }
    function hear(length: number, buffer: Uint8Array): boolean {
      const fault = answer.take(buffer as Buffer, length);
      if (fault !== null) socket.destroy(new BrokenTalk('errors', fault));
      else if (answer.complete()) end(answer);
      return true;
    }
    function end({ status, last }: Answer): void {
      answer = createAnswer();
      waiting = false;
      answered(status, performance.now() - asked);
      if (last) socket.destroy();
      else rest();
    }
    socket.once('error', error => reject(error instanceof BrokenTalk ? error : new BrokenTalk('errors', error.message)));
    socket.once('close', () => (waiting ? reject(new BrokenTalk('lost')) : resolve()));
  });
}

/** A request's bytes. */
export function requestOf(method: string, path: string, headers: Record<string, string>, body = ''): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`;
}

type Answer = ReturnType<typeof createAnswer>;

/** An answer as it comes in, piece by piece. */
function createAnswer() {
  let head = '';
  let missing = -1;
  return {
    status: '',
    /** Whether nothing can follow it on this connection. */
    last: false,
    complete: () => missing === 0,
    /** Returns what is wrong with it, or null. */
    take(piece: Buffer, length: number): string | null {
      if (missing >= 0) {
        missing -= length;
        return missing < 0 ? 'more than an answer' : null;
      }
      head += piece.toString('latin1', 0, length);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return null;
      this.status = head.slice(9, 12);
      const size = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
      if (size === undefined && this.status === '200') return 'a page without a Content-Length';
      this.last = size === undefined || /\r\nconnection: *close/i.test(head);
      missing = size === undefined ? 0 : end + 4 + Number(size) - head.length;
      return missing < 0 ? 'more than an answer' : null;
    },
  };
}
