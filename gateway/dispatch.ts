import type { ServerResponse } from 'node:http';
import type { PassThrough } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Dispatcher } from 'undici';
import { isEventStream, requestHeaders, responseHeaders, valuesOf } from './headers.ts';
import type { LiveConnections } from './live.ts';
import { bytesPassed } from './passed-bytes.ts';
import { type Guest, type Vain, wordsOf } from './queue.ts';
import { bodyOf, limitSilence } from './request-body.ts';
import { type Route, readableReason } from './route.ts';
import type { Upstream } from './upstreams.ts';

/**
 * The engine for plain HTTP: undici's `dispatch`, its answer written straight to the browser's connection. Between the two stands
 * nothing that copies, parses or waits: half the processor time of the same through streams and promises.
 */
export function addDispatch(sites: FastifyInstance, methods: string[], live: LiveConnections, route: Route): void {
  sites.route({
    method: methods,
    url: '/*',
    exposeHeadRoute: false,
    config: { rule: 'page' },
    // In a hook, because past the hooks Fastify looks at content types, and refuses some that old pages use. It never ends: from here
    // on the answer is the exchange's business.
    onRequest: (request, reply) => forward(request, reply, route, live),
    handler: (request, reply) => route.trouble(request, reply, 'internal', 'the hook forwards'),
  });
}

function forward(request: FastifyRequest, reply: FastifyReply, route: Route, live: LiveConnections): void {
  const upstream = route.upstreamOf(request);
  const exchange = new Exchange(request, reply, route, live, upstream);
  if (!upstream.queue.enter(exchange)) route.trouble(request, reply, 'upstream-busy', 'too many wait already');
}

const SMALL = 16 * 1024;

/** One request on its way, and its answer: what undici tells of it, in the order in which it does. */
class Exchange implements Dispatcher.DispatchHandler, Guest {
  since = 0;
  standing: Guest['standing'] = 'away';
  readonly visitor: number;
  readonly service: string | null;
  // Not `#private`: a request makes one of these, and those cost a tenth of everything else it does.
  private readonly request: FastifyRequest;
  private readonly reply: FastifyReply;
  private readonly response: ServerResponse;
  private readonly route: Route;
  private readonly live: LiveConnections;
  private readonly upstream: Upstream;
  private body: PassThrough | null = null;
  private abort: ((error: Error) => void) | null = null;
  private resume: (() => void) | null = null;
  private length = -1;
  private bare = true;
  private begun = false;
  private over = false;

  constructor(request: FastifyRequest, reply: FastifyReply, route: Route, live: LiveConnections, upstream: Upstream) {
    this.visitor = request.signedIn?.id ?? 0;
    this.service = request.page?.service ?? null;
    this.request = request;
    this.reply = reply;
    this.response = reply.raw;
    this.route = route;
    this.live = live;
    this.upstream = upstream;
    reply.raw.on('close', () => this.leave());
  }

  begin(): void {
    if (this.over) return;
    this.begun = true;
    try {
      this.body = bodyOf(this.request, this.upstream.silenceMs);
      this.upstream.pool.dispatch(this.question(), this);
    } catch (error) {
      this.onError(error as Error);
    }
  }

  private question(): Dispatcher.DispatchOptions & { servername: string } {
    return {
      path: this.request.raw.url ?? '/',
      method: this.request.method as Dispatcher.HttpMethod,
      headers: requestHeaders(this.request.headers, this.route.requestFacts(this.request)),
      body: this.body,
      // Otherwise undici takes it from `Host`, and closes its connections whenever two sites of one https server take turns.
      servername: this.upstream.servername,
    };
  }

  /** The browser has everything, or has gone: in that case the legacy server need not go on. */
  private leave(): void {
    if (this.over) return;
    this.over = true;
    this.body?.destroy();
    this.abort?.(new Error('the browser went away'));
    // What undici has begun is at its end only when undici says so.
    if (!this.begun) this.upstream.queue.leave(this);
  }

  giveUp(why: Vain): void {
    this.over = true;
    this.route.trouble(this.request, this.reply, why, wordsOf[why]);
  }

  onConnect(abort: (error?: Error) => void): void {
    if (this.over) abort(new Error('the browser went away'));
    else {
      this.abort = abort;
      this.request.keptForm?.sent();
    }
  }

  onHeaders(status: number, raw: Buffer[], resume: () => void, reason: string): boolean {
    if (status < 200) return this.hint(status, raw);
    this.upstream.answered();
    const received = textOf(raw);
    const headers = responseHeaders(received, this.route.answerFacts(this.request));
    this.response.writeHead(status, readableReason(reason), headers);
    this.reply.hijack();
    // That is all there is, whatever its length says; undici would call that a broken answer.
    if (status === 204 || status === 304) return this.end();
    this.resume = resume;
    this.length = Number(valuesOf(received, 'content-length') || -1);
    if (isEventStream(valuesOf(received, 'content-type'))) this.live.add(this.request, this.response);
    // What may be long in coming must not keep its headers back; they go alone unless the first of it is here already.
    if (this.length < 0 || this.length > SMALL) queueMicrotask(() => this.flushBare());
    return true;
  }

  /** An answer before the answer (RFC 9110 §15.2): a proxy passes it on to whoever knows that there is such a thing. */
  private hint(status: number, raw: Buffer[]): true {
    const headers = responseHeaders(textOf(raw), this.route.answerFacts(this.request));
    if (this.request.raw.httpVersion === '1.1') this.response.writeInformation(status, headers);
    return true;
  }

  private flushBare(): void {
    if (this.bare && !this.over) this.response.flushHeaders();
  }

  onData(chunk: Buffer): boolean {
    this.bare = false;
    if (chunk.length === this.length && chunk.length <= SMALL) {
      // As text it leaves in one piece with its headers: a third less work for a small page than two buffers.
      this.response.end(chunk.toString('latin1'), 'latin1');
      return true;
    }
    bytesPassed(chunk.length);
    if (this.response.write(chunk)) return true;
    const heard = limitSilence(this.request, this.upstream.silenceMs);
    this.response.once('drain', () => {
      heard();
      this.resume?.();
    });
    return false;
  }

  onComplete(): void {
    this.upstream.queue.leave(this);
    this.end();
  }

  private end(): true {
    this.over = true;
    if (!this.response.writableEnded) this.response.end();
    return true;
  }

  onError(error: Error): void {
    this.upstream.queue.leave(this);
    if (this.over) return;
    this.over = true;
    this.body?.destroy();
    // Half an answer must be seen to be one: as a broken connection, never as a short whole.
    if (this.response.headersSent) {
      // Without chunks or a length (HTTP/1.0) an answer ends with its connection, and only a reset is not such an end.
      if (this.request.raw.httpVersion === '1.0') this.request.raw.socket.resetAndDestroy();
      else this.response.destroy();
      return;
    }
    this.route.failed(this.request, this.reply, error);
  }
}

/** As they came: in Latin-1, which is what a header is made of and what Node writes again. */
function textOf(raw: Buffer[]): string[] {
  const text = new Array<string>(raw.length);
  for (let index = 0; index < raw.length; index += 1) text[index] = raw[index]!.toString('latin1');
  return text;
}
