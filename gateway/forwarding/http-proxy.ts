import { PassThrough } from 'node:stream';
import httpProxy from '@fastify/http-proxy';
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import { buildConnector, Dispatcher, Pool } from 'undici';
import type { LiveConnections } from '../live.ts';
import { isEventStream, requestHeaders, responseHeaders } from './headers.ts';
import type { Route } from './route.ts';
import type { PoolOptions } from './upstream-pool.ts';
import type { Upstreams } from './upstreams.ts';

/**
 * The other engine (`ENGINE=http-proxy`): Fastify's own plugin, for plain HTTP requests. It is here so that every test of forwarding has
 * a second opinion, and not to be run: it costs about twice as much, goes past the queue, cannot read addresses in Latin-1, and a kept
 * form that it is given counts as sent.
 */
export async function addHttpProxy(
  sites: FastifyInstance,
  methods: string[],
  { upstreams, live }: { upstreams: Upstreams; live: LiveConnections },
  route: Route,
): Promise<void> {
  sites.addHook('preParsing', (request, _reply, payload, next) => {
    // The plugin does not say when it begins to send.
    request.keptForm?.sent();
    next(null, request.keptForm ? new PassThrough().end(request.keptForm.body) : payload);
  });
  // By its answer: the connection serves others once the stream is over.
  sites.addHook('onSend', (request, reply, payload, next) => {
    if (isEventStream(String(reply.getHeader('content-type') ?? ''))) live.add(request, reply.raw);
    next(null, payload);
  });
  const dispatcher = byOrigin(upstreams);
  sites.addHook('onClose', () => dispatcher.end());
  await sites.register(httpProxy, {
    upstream: '',
    httpMethods: methods as HTTPMethods[],
    // Upgrades are never the plugin's: it drops Origin and can be crashed by one (CVE-2026-133111, CVE-2026-130647).
    websocket: false,
    // A cached address would be shared between upstreams (CVE-2026-16158).
    disableCache: true,
    disableRequestLogging: true,
    internalRewriteLocationHeader: false,
    constraints: { place: 'site' },
    config: { rule: 'page' },
    undici: dispatcher,
    replyOptions: {
      getUpstream: request => route.upstreamOf(request as FastifyRequest).origin,
      // By default a GET answered 503 is sent again, ten times.
      retryDelay: () => null,
      rewriteRequestHeaders: request => grouped(requestHeaders(request.headers, route.requestFacts(request as FastifyRequest))),
      rewriteHeaders: (headers, request) => answerHeaders(headers, request as unknown as FastifyRequest),
      // The plugin has errors of its own; what happened stands behind them.
      onError: (reply, { error }) =>
        route.failed(reply.request as FastifyRequest, reply as FastifyReply, error.cause instanceof Error ? error.cause : error),
    },
  });

  function answerHeaders(headers: NodeJS.Dict<string | string[]>, request: FastifyRequest) {
    route.upstreamOf(request).answered();
    return grouped(responseHeaders(flat(headers), route.answerFacts(request)));
  }
}

/** Not undici's own Agent: it closes pools that it believes nobody else uses. */
function byOrigin(upstreams: Upstreams): Dispatcher & { end(): Promise<void> } {
  const pools = new Map<string, Pool>();
  const poolOf = (origin: string) => {
    const pool = pools.get(origin) ?? openPool(upstreams.of(origin).reached);
    pools.set(origin, pool);
    return pool;
  };
  const dispatcher = new Dispatcher();
  dispatcher.dispatch = (options, handler) => poolOf(String(options.origin)).dispatch(options, handler);
  dispatcher.close = async () => {};
  dispatcher.destroy = async () => {};
  return Object.assign(dispatcher, {
    async end() {
      await Promise.all([...pools.values()].map(pool => pool.destroy()));
    },
  });
}

function openPool({ origin, connections, connectMs, headersMs, bodyMs, tls: { servername, ...tls } }: PoolOptions): Pool {
  const connect = buildConnector({ timeout: connectMs, ...tls });
  return new Pool(origin, {
    ...{ connections, headersTimeout: headersMs, bodyTimeout: bodyMs },
    connect: (details, callback) =>
      connect({ ...details, servername }, (...[error, socket]) => {
        socket?.prependListener('error', sayOtherwise);
        if (error) callback(error, null);
        else callback(null, socket);
      }),
  });
}

/** Old servers end an answer with its connection. undici takes a reset for such an end, by its code, and half an answer for a whole. */
function sayOtherwise(error: NodeJS.ErrnoException): void {
  if (error.code === 'ECONNRESET') error.code = 'UND_ERR_SOCKET';
}

/** The plugin knows headers as an object of lists; the rules know them as they stand on the wire. */
const flat = (headers: NodeJS.Dict<string | string[]>): string[] =>
  Object.entries(headers).flatMap(([name, value]) => [value ?? []].flat().flatMap(one => [name, one]));

function grouped(headers: readonly string[]): Record<string, string | string[]> {
  const groups: Record<string, string | string[]> = {};
  for (let index = 0; index < headers.length; index += 2) {
    const [name = '', value = ''] = headers.slice(index, index + 2);
    const before = groups[name.toLowerCase()];
    groups[name.toLowerCase()] = before === undefined ? value : [before, value].flat();
  }
  return groups;
}
