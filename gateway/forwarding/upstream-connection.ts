import type { Socket } from 'node:net';
import type { BodyTarget, RequestBody } from './request-body.ts';
import { ResponseParser, type ResponseSink } from './response-parser.ts';

/** What is sent to a legacy server. */
export type UpstreamRequest = {
  method: string;
  /** The request line, the headers and the empty line, in Latin-1; from `requestHead`. */
  head: string;
  body: RequestBody | null;
};

/** Who hears what becomes of a request, in this order; of a failure at any time, and then nothing more. */
export type ResponseHandler = ResponseSink & {
  /** The request is being sent. */
  onSend(): void;
  onEnd(): void;
  onError(error: Error & { code?: string }): void;
};

/** How long is too long, in ticks of the pool's clock. */
export type Patience = Record<Wait | 'idle', number>;

/** What a connection that has a request can wait for, and what is said when it has waited too long. */
type Wait = 'connect' | 'upload' | 'headers' | 'body';
const TOO_LONG: Readonly<Record<Wait, { code: string; message: string }>> = {
  connect: { code: 'CONNECT_TIMEOUT', message: 'no connection in time' },
  upload: { code: 'UPLOAD_TIMEOUT', message: 'nothing more of the request in time' },
  headers: { code: 'HEADERS_TIMEOUT', message: 'no answer in time' },
  body: { code: 'BODY_TIMEOUT', message: 'nothing more of the answer in time' },
};

/** What a connection tells of itself. */
export type ConnectionOwner = {
  patience: Patience;
  tickMs: number;
  /** It is free again. */
  onFree(connection: UpstreamConnection): void;
  onGone(connection: UpstreamConnection): void;
};

// By then the server may be about to close it.
const KEEP_ALIVE_MARGIN_MS = 1_000;
const LONGEST_IDLE_MS = 600_000;

/**
 * One connection to a legacy server, which asks one thing at a time. Nothing is ever asked twice, not even where the server hung up
 * without a word: old pages change things on a GET. Between the socket and whoever asks stands nothing but the parser:
 * no stream, no promise and no timer, each of which costs as much as judging a request (`bench/README.md`).
 */
export class UpstreamConnection implements BodyTarget {
  private readonly socket: Socket;
  private readonly owner: ConnectionOwner;
  private readonly parser = new ResponseParser();
  private request: UpstreamRequest | null = null;
  private handler: ResponseHandler | null = null;
  private ready = false;
  private bodySent = true;
  private paused = false;
  /** For how many ticks nothing has come that was waited for; or, without a request, for how many it lies idle. */
  private silent = 0;
  private idleTicks: number;

  constructor(
    open: (read: (count: number, bytes: Buffer) => boolean) => Socket,
    ready: 'connect' | 'secureConnect',
    owner: ConnectionOwner,
  ) {
    this.owner = owner;
    this.idleTicks = owner.patience.idle;
    this.socket = open((count, bytes) => this.read(count, bytes))
      // Nothing may leave before the certificate has been verified: `write` would let it.
      .once(ready, () => this.begin())
      .on('drain', () => this.drained())
      .once('end', () => this.ended())
      .on('error', error => this.fail(error))
      .once('close', () => this.fail(new Error('the legacy server closed the connection')));
  }

  /** Sends a request now, or once the connection stands. */
  send(request: UpstreamRequest, handler: ResponseHandler): void {
    this.request = request;
    this.handler = handler;
    this.silent = 0;
    if (this.ready) this.begin();
  }

  private begin(): void {
    this.ready = true;
    this.silent = 0;
    const { request, handler } = this;
    if (!request || !handler) return;
    this.parser.begin(request.method, handler);
    this.bodySent = request.body === null;
    handler.onSend();
    this.socket.write(request.head, 'latin1');
    request.body?.sendTo(this);
  }

  /** A piece of the body of the request; false if more should wait for `resume`. */
  write(piece: Buffer): boolean {
    this.silent = 0;
    return this.socket.write(piece);
  }

  end(lastPiece?: string): void {
    this.silent = 0;
    this.bodySent = true;
    if (lastPiece) this.socket.write(lastPiece, 'latin1');
  }

  private drained(): void {
    this.silent = 0;
    this.request?.body?.resume();
  }

  /** Takes nothing more off the connection until `resume`: the browser is slower than the legacy server. */
  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.silent = 0;
    this.socket.resume();
  }

  /** Nobody wants the response any more. */
  abort(): void {
    this.handler = null;
    this.destroy();
  }

  close(): void {
    this.fail(new Error('the gateway closes its connections'));
  }

  /** Looks whether somebody has waited too long. */
  tick(): void {
    this.silent += 1;
    if (!this.handler) {
      if (this.silent >= this.idleTicks) this.destroy();
      return;
    }
    const wait = this.waitsFor();
    // A browser that does not read on has a limit of its own: only its own connection knows how much of it has left.
    if (wait === null) this.silent = 0;
    else if (this.silent > this.owner.patience[wait]) this.fail(Object.assign(new Error(TOO_LONG[wait].message), TOO_LONG[wait]));
  }

  private waitsFor(): Wait | null {
    if (!this.ready) return 'connect';
    if (this.paused) return null;
    // While the server takes nothing more, it is not the browser that is slow.
    if (!this.bodySent && !this.socket.writableNeedDrain) return 'upload';
    return this.parser.begun ? 'body' : 'headers';
  }

  private read(count: number, bytes: Buffer): boolean {
    const { handler } = this;
    // Bytes that nobody has asked for are of no request: the next one must not get them for its answer.
    if (!handler) {
      this.destroy();
      return false;
    }
    try {
      const end = this.parser.read(bytes, count);
      if (!this.parser.inHead) this.silent = 0;
      if (this.parser.done && this.handler) this.finish(end === count);
    } catch (error) {
      this.fail(error as Error);
    }
    return !this.paused;
  }

  /** @param clean nothing came behind the end of the response */
  private finish(clean: boolean): void {
    const { handler } = this;
    this.handler = null;
    this.idleTicks = this.ticksToLive();
    if (clean && this.parser.keepAlive && this.isAllSent() && this.idleTicks > 0) {
      this.request = null;
      this.silent = 0;
      // Whoever reads the end of it slowly stops nobody else's.
      this.paused = false;
      this.owner.onFree(this);
    } else this.destroy();
    handler?.onEnd();
  }

  /** Or the next request would wait behind the rest of this one, which its server may never take. */
  private isAllSent(): boolean {
    return this.bodySent && this.socket.writableLength === 0;
  }

  private ticksToLive(): number {
    const said = this.parser.keepAliveMs;
    if (said < 0) return this.owner.patience.idle;
    return Math.floor((Math.min(said, LONGEST_IDLE_MS) - KEEP_ALIVE_MARGIN_MS) / this.owner.tickMs);
  }

  private ended(): void {
    if (this.handler && this.ready && this.parser.end()) this.finish(false);
    else this.fail(new Error('the legacy server closed the connection'));
  }

  private fail(error: Error & { code?: string }): void {
    const { handler } = this;
    this.handler = null;
    this.destroy();
    handler?.onError(error);
  }

  private destroy(): void {
    this.request?.body?.drop();
    this.request = null;
    this.socket.destroy();
    this.owner.onGone(this);
  }
}
