import { unpadded } from './headers.ts';

/** Who is told of a response while it is read. Whatever is thrown here ends the reading. */
export type ResponseSink = {
  /** An answer before the answer (RFC 9110 §15.2). Headers are name, value, name, value, … as they came, in Latin-1. */
  onInformation(status: number, headers: string[]): void;
  /** @param length of the body in bytes, or -1 where nobody has said it */
  onHead(status: number, reason: string, headers: string[], length: number): void;
  /** @param bytes lent: once this returns, others come to lie there */
  onData(bytes: Buffer, start: number, end: number): void;
};

/** What is wrong with a response, in words for the log. */
export class ResponseFault extends Error {
  readonly code = 'BAD_RESPONSE';
}

const MOST_HEAD = 16 * 1024;
const MOST_INFORMATION = 100;
const MOST_CHUNK_LINE = 4 * 1024;

const VERSION = 'HTTP/1.';
const BARE_LINE_FEED = /(?<!\r)\n/;
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9][0-9]{2})(?: ([^\r\n]*))?\r\n/;
// All lines at once: a look at each name and each value would cost twice as much.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control bytes are exactly what is looked for
const HEADERS = /(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00-\x08\x0a-\x1f\x7f]*\r\n)*\r\n/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const CHUNK_LINE = /^([0-9A-Fa-f]{1,13})(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?\r\n$/;
const CLOSE = /(?:^|,)\s*close\s*(?:,|$)/;
const KEEP_ALIVE = /(?:^|,)\s*keep-alive\s*(?:,|$)/;
const TIMEOUT = /(?:^|[\s,;])timeout=([0-9]{1,6})/;

type State = 'head' | 'length' | 'chunk line' | 'chunk' | 'chunk end' | 'trailers' | 'until close' | 'done';

/**
 * Reads HTTP/1 responses (RFC 9112) as they come off one connection, in pieces of any size, one after the other. It refuses whatever two
 * readers could read differently: two lengths, a length beside chunks, a coding that is not `chunked`, folded lines, bare line feeds,
 * spaces before a colon. A server that can be talked into sending one of them could slip a second answer to the next visitor.
 */
export class ResponseParser {
  /** Whether the connection may serve another request once this response is done. */
  keepAlive = false;
  /** For how long it may lie idle, in milliseconds, or -1 where the server has not said it. */
  keepAliveMs = -1;
  private sink!: ResponseSink;
  private state: State = 'done';
  private bodiless = false;
  private text = '';
  private left = 0;
  private informed = 0;
  private trailed = 0;

  /** A response to a request of this method comes next. */
  begin(method: string, sink: ResponseSink): void {
    this.sink = sink;
    this.state = 'head';
    this.bodiless = method === 'HEAD';
    this.text = '';
    this.informed = 0;
    this.trailed = 0;
  }

  get done(): boolean {
    return this.state === 'done';
  }

  /** Whether the response itself has begun, not only answers before it. */
  get begun(): boolean {
    return this.state !== 'head';
  }

  /** Whether a head has come in part: one byte at a time is no sign of life. */
  get inHead(): boolean {
    return this.state === 'head' && this.text !== '';
  }

  /**
   * Reads what has come, up to the end of the response.
   * @returns where that is; what lies behind it belongs to no request
   */
  read(bytes: Buffer, end: number): number {
    let at = 0;
    while (at < end && this.state !== 'done') {
      if (this.state === 'head') at = this.readHead(bytes, at, end);
      else if (this.state === 'length' || this.state === 'chunk') at = this.readCounted(bytes, at, end);
      else if (this.state === 'until close') {
        this.sink.onData(bytes, at, end);
        at = end;
      } else at = this.readLine(bytes, at, end);
    }
    return at;
  }

  /** The connection has ended: whether that is how this response ends. */
  end(): boolean {
    if (this.state === 'until close') this.state = 'done';
    return this.state === 'done';
  }

  private readHead(bytes: Buffer, at: number, end: number): number {
    const before = this.text.length;
    const taken = Math.min(end, at + MOST_HEAD - before);
    const text = this.text + bytes.toString('latin1', at, taken);
    const stop = text.indexOf('\r\n\r\n', Math.max(0, before - 3));
    if (stop < 0) {
      this.text = beginningOfHead(text);
      return taken;
    }
    this.text = '';
    this.takeHead(text, stop + 2);
    return at + stop + 4 - before;
  }

  /** @param end of the last header's line */
  private takeHead(text: string, end: number): void {
    const line = STATUS_LINE.exec(text);
    if (!line) throw new ResponseFault('no status line of HTTP/1');
    const status = Number(line[2]);
    HEADERS.lastIndex = line[0].length;
    if (!HEADERS.test(text)) throw new ResponseFault('a header with no proper name, or a control character in it');
    const headers: string[] = [];
    const framing = new Framing(line[1] === '1');
    for (let at = line[0].length; at < end; ) {
      const stop = text.indexOf('\r\n', at);
      const colon = text.indexOf(':', at);
      const name = text.slice(at, colon);
      const value = unpadded(text, colon + 1, stop);
      headers.push(name, value);
      framing.note(name, value);
      at = stop + 2;
    }
    if (status < 200) this.inform(status, headers);
    else this.beginBody(status, line[3] ?? '', headers, framing);
  }

  private inform(status: number, headers: string[]): void {
    if (status === 101) throw new ResponseFault('switched protocols unasked');
    this.informed += 1;
    if (this.informed > MOST_INFORMATION) throw new ResponseFault('too many answers before the answer');
    this.sink.onInformation(status, headers);
  }

  private beginBody(status: number, reason: string, headers: string[], framing: Framing): void {
    const none = this.bodiless || status === 204 || status === 304;
    this.keepAlive = framing.keepAlive && (none || framing.chunked || framing.length >= 0);
    this.keepAliveMs = framing.keepAliveMs;
    this.left = framing.length;
    if (none || framing.length === 0) this.state = 'done';
    else if (framing.chunked) this.state = 'chunk line';
    else this.state = framing.length > 0 ? 'length' : 'until close';
    this.sink.onHead(status, reason, headers, none ? 0 : framing.length);
  }

  /** Bytes of which it is known how many they are. */
  private readCounted(bytes: Buffer, at: number, end: number): number {
    const stop = Math.min(end, at + this.left);
    this.left -= stop - at;
    if (this.left === 0) this.state = this.state === 'chunk' ? 'chunk end' : 'done';
    this.sink.onData(bytes, at, stop);
    return stop;
  }

  /** A line of the framing of chunks (RFC 9112 §7.1). */
  private readLine(bytes: Buffer, at: number, end: number): number {
    const feed = bytes.indexOf(10, at);
    const stop = feed < 0 || feed >= end ? end : feed + 1;
    this.text += bytes.toString('latin1', at, stop);
    if (this.state === 'trailers') this.trailed += stop - at;
    if (this.text.length > MOST_CHUNK_LINE || this.trailed > MOST_HEAD)
      throw new ResponseFault('more lines between chunks than anybody needs');
    if (bytes[stop - 1] === 10) this.takeLine();
    return stop;
  }

  private takeLine(): void {
    const line = this.text;
    this.text = '';
    if (this.state === 'chunk line') {
      const size = CHUNK_LINE.exec(line)?.[1];
      if (size === undefined) throw new ResponseFault('no proper size of a chunk');
      this.left = Number.parseInt(size, 16);
      this.state = this.left === 0 ? 'trailers' : 'chunk';
    } else if (this.state === 'chunk end') {
      if (line !== '\r\n') throw new ResponseFault('a chunk longer than it says');
      this.state = 'chunk line';
    } else if (line === '\r\n') this.state = 'done';
    // Trailers are nothing to an old page. They end here, but must be what they seem.
    else if (!/^[^\s:]+:[^\r\n]*\r\n$/.test(line)) throw new ResponseFault('no proper trailer');
  }
}

/** The head so far. What cannot become one is told at once: its end might never come. */
function beginningOfHead(text: string): string {
  if (text.length >= MOST_HEAD) throw new ResponseFault('headers longer than 16 KiB');
  if (!text.startsWith(VERSION.slice(0, text.length))) throw new ResponseFault('no status line of HTTP/1');
  if (BARE_LINE_FEED.test(text)) throw new ResponseFault('a bare line feed');
  return text;
}

/** What the headers of one response say of its end, and of the connection (RFC 9112 §6 and §9.3). */
class Framing {
  length = -1;
  chunked = false;
  keepAliveMs = -1;
  private readonly modern: boolean;
  private asksToKeep = false;
  private asksToClose = false;

  constructor(modern: boolean) {
    this.modern = modern;
  }

  get keepAlive(): boolean {
    return !this.asksToClose && (this.modern || this.asksToKeep);
  }

  /** Lengths are compared first: nearly every other name is told apart by its own. */
  note(name: string, value: string): void {
    if (name.length === 14 && name.toLowerCase() === 'content-length') this.noteLength(value);
    else if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') this.noteCoding(value);
    else if (name.length === 10) this.noteConnection(name.toLowerCase(), value.toLowerCase());
  }

  private noteLength(value: string): void {
    if (this.length >= 0 || this.chunked || !/^[0-9]{1,15}$/.test(value))
      throw new ResponseFault('more than one length, or none that can be');
    this.length = Number(value);
  }

  private noteCoding(value: string): void {
    if (this.chunked || this.length >= 0 || !this.modern || value.toLowerCase() !== 'chunked')
      throw new ResponseFault('a transfer coding that cannot be');
    this.chunked = true;
  }

  private noteConnection(name: string, value: string): void {
    if (name === 'keep-alive') {
      const seconds = TIMEOUT.exec(value)?.[1];
      if (seconds !== undefined) this.keepAliveMs = 1_000 * Number(seconds);
    }
    if (name !== 'connection') return;
    if (CLOSE.test(value)) this.asksToClose = true;
    if (KEEP_ALIVE.test(value)) this.asksToKeep = true;
  }
}
