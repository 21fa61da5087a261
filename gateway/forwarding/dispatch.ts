import type { ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { LiveConnections } from '../live.ts';
import { isEventStream, requestHeaders, responseHeaders, valuesOf } from './headers.ts';
import { bytesPassed } from './passed-bytes.ts';
import { type Guest, type Vain, wordsOf } from './queue.ts';
import { bodyOf, limitSilence } from './request-body.ts';
import { requestHead } from './request-head.ts';
import { type Route, readableReason } from './route.ts';
import type { ResponseHandler, UpstreamConnection } from './upstream-connection.ts';
import type { Upstream } from './upstreams.ts';

/**
 * The engine for plain HTTP: the legacy server's answer is written straight to the browser's connection. Between the two stands nothing
 * that copies, parses or waits: a third of the processor time of the same through streams and promises.
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
  // Whoever went away while it was judged will not say so again. What was taken for them is given back.
  if (reply.raw.destroyed) return void request.keptForm?.giveBack();
  const upstream = route.upstreamOf(request);
  const exchange = new Exchange(request, reply, route, live, upstream);
  if (!upstream.queue.enter(exchange)) route.trouble(request, reply, 'upstream-busy', 'too many wait already');
}

const SMALL = 16 * 1024;

/** One request on its way, and its answer: what the connection tells of it, in the order in which it does. */
class Exchange implements ResponseHandler, Guest {
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
  private connection: UpstreamConnection | null = null;
  private length = -1;
  private bare = true;
  private full = false;
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
    const { request, upstream, route } = this;
    try {
      const body = bodyOf(request);
      const headers = requestHeaders(request.headers, route.requestFacts(request));
      const head = requestHead(request.method, request.raw.url ?? '/', headers, body);
      this.connection = upstream.pool.send({ method: request.method, head, body }, this);
    } catch (error) {
      this.onError(error as Error);
    }
  }

  /** The browser has everything, or has gone: in that case the legacy server need not go on. */
  private leave(): void {
    if (this.over) return;
    this.over = true;
    this.connection?.abort();
    this.upstream.queue.leave(this);
  }

  giveUp(why: Vain): void {
    this.over = true;
    this.route.trouble(this.request, this.reply, why, wordsOf[why]);
  }

  onSend(): void {
    this.request.keptForm?.sent();
  }

  /** An answer before the answer: a proxy passes it on to whoever knows that there is such a thing. */
  onInformation(status: number, received: string[]): void {
    const headers = responseHeaders(received, this.route.answerFacts(this.request));
    if (this.request.raw.httpVersion === '1.1') this.response.writeInformation(status, headers);
  }

  onHead(status: number, reason: string, received: string[], length: number): void {
    this.upstream.answered();
    this.response.writeHead(status, readableReason(reason), responseHeaders(received, this.route.answerFacts(this.request)));
    this.reply.hijack();
    this.length = length;
    if (isEventStream(valuesOf(received, 'content-type'))) this.live.add(this.request, this.response);
    // What may be long in coming must not keep its headers back; they go alone unless the first of it is here already.
    if (length < 0 || length > SMALL) queueMicrotask(() => this.flushBare());
  }

  private flushBare(): void {
    if (this.bare && !this.over) this.response.flushHeaders();
  }

  onData(bytes: Buffer, start: number, end: number): void {
    this.bare = false;
    const size = end - start;
    if (size === this.length && size <= SMALL) {
      // As text it leaves in one piece with its headers: a third less work for a small page than two buffers.
      this.response.end(bytes.toString('latin1', start, end), 'latin1');
      return;
    }
    bytesPassed(size);
    if (!this.response.write(Buffer.from(bytes.subarray(start, end))) && !this.full) this.waitForReader();
  }

  private waitForReader(): void {
    this.full = true;
    this.connection?.pause();
    const heard = limitSilence(this.request, this.upstream.silenceMs);
    this.response.once('drain', () => {
      heard();
      this.full = false;
      this.connection?.resume();
    });
  }

  onEnd(): void {
    this.upstream.queue.leave(this);
    this.over = true;
    // By now it may serve somebody else.
    this.connection = null;
    if (!this.response.writableEnded) this.response.end();
    // There is no `drain` behind the end, and what has not left by now must not lie here for as long as its reader likes.
    if (this.response.writableLength > 0) this.response.once('finish', limitSilence(this.request, this.upstream.silenceMs));
  }

  onError(error: Error & { code?: string }): void {
    this.upstream.queue.leave(this);
    if (this.over) return;
    this.over = true;
    // Half an answer must be seen to be one: as a broken connection, never as a short whole. Who stops in a request reads no answer.
    if (this.response.headersSent || error.code === 'UPLOAD_TIMEOUT') {
      // Without chunks or a length (HTTP/1.0) an answer ends with its connection, and only a reset is not such an end.
      if (this.request.raw.httpVersion === '1.0') this.request.raw.socket.resetAndDestroy();
      else this.response.destroy();
      return;
    }
    this.route.failed(this.request, this.reply, error);
  }
}
