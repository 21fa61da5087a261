import type { ClientRequest, IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import httpProxy from '@fastify/http-proxy';
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Agent, buildConnector, Pool } from 'undici';
import type { Catalogue } from '#config/catalogue.ts';
import type { Settings } from '#config/settings.ts';
import type { Answers } from './answers.ts';
import { type Identity, type RequestFacts, requestHeaders, responseHeaders } from './headers.ts';
import type { LiveConnections } from './live.ts';
import type { ProblemCode } from './problems.ts';

/** How a judged request reaches its legacy server. Everything about the engine is in this file, so that it can be changed here. */
export type ForwardDeps = {
  catalogue: Catalogue;
  upstream: Settings['upstream'];
  ownCookies: ReadonlySet<string>;
  answers: Answers;
  live: LiveConnections;
};

/** Registers the one catch-all of the sites' scope; whatever reaches it was judged by the scope's hooks. */
export async function addForwarding(sites: FastifyInstance, deps: ForwardDeps): Promise<void> {
  await sites.register(httpProxy, {
    upstream: '',
    websocket: true,
    undici: connectionPools(deps.upstream),
    // A cached address would be shared between upstreams (CVE-2026-16158).
    disableCache: true,
    disableRequestLogging: true,
    internalRewriteLocationHeader: false,
    constraints: { place: 'site' },
    config: { rule: 'page' },
    wsClientOptions: upgradeOptions(deps, sites.log),
    // biome-ignore format: one line per decision about the engine
    replyOptions: {
      getUpstream: request => (request as FastifyRequest).page!.upstream,
      // By default a GET answered 503 is sent again, ten times.
      retryDelay: () => null,
      rewriteRequestHeaders: request => requestHeaders(request.headers, factsOf(request as FastifyRequest, deps)),
      rewriteHeaders: (headers, request) => answerHeaders(headers, request as unknown as FastifyRequest, deps),
      onError: (reply, { error }) => void unreachable(reply as FastifyReply, error, deps),
    },
  });
  guardUpgrades(sites.server);
}

/**
 * The plugin takes every upgrade for the only thing on a quiet connection. One sent while an earlier answer is on its way, or a
 * connection reset while we still judge, would otherwise end the process (CVE-2026-130647, CVE-2026-129500).
 */
function guardUpgrades(server: Server): void {
  const [handle] = server.listeners('upgrade');
  server.removeAllListeners('upgrade');
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer<ArrayBuffer>) => {
    socket.on('error', () => socket.destroy());
    try {
      handle?.call(server, request, socket, head);
    } catch {
      socket.destroy();
    }
  });
}

/** The name the connection's certificate must carry is the upstream's own, not that of the `Host` header that is forwarded. */
function connectionPools(limits: Settings['upstream']): Agent {
  const connect = buildConnector({ timeout: limits.connectSeconds * 1000, rejectUnauthorized: true });
  return new Agent({
    headersTimeout: limits.headersSeconds * 1000,
    bodyTimeout: limits.bodySeconds * 1000,
    factory: (origin, options) => {
      const servername = new URL(origin).hostname;
      return new Pool(origin, {
        ...options,
        connections: limits.connections,
        connect: (details, callback) => connect({ ...details, servername }, callback),
      });
    },
  });
}

function factsOf(request: FastifyRequest, deps: ForwardDeps): RequestFacts {
  const site = request.site!;
  return {
    identity: identityOf(request),
    host: new URL(site.origin).host,
    protocol: site.origin.startsWith('https:') ? 'https' : 'http',
    clientAddress: request.ip,
    ownCookies: deps.ownCookies,
  };
}

/** Open pages are not ours to introduce anybody to. */
function identityOf({ page, signedIn: session }: FastifyRequest): Identity | null {
  if (!session?.organisation || !page || page.kind === 'open') return null;
  const { person, organisation } = session;
  return {
    userId: person.userId,
    name: `${person.firstName} ${person.lastName}`.trim(),
    email: person.email,
    organisationCode: organisation.code,
    organisationName: organisation.name,
    service: page.service ?? '',
  };
}

/** The plugin's types leave out `rewriteRequestHeaders`, without which it would forward our cookie and no identity. */
function upgradeOptions(deps: ForwardDeps, log: FastifyBaseLogger): { handshakeTimeout: number } {
  const options = {
    handshakeTimeout: deps.upstream.headersSeconds * 1000,
    rewriteRequestHeaders: (_defaults: unknown, request: FastifyRequest) => upgradeHeaders(request, deps),
    finishRequest: (handshake: ClientRequest) => beginHandshake(handshake, log),
  };
  return options;
}

/**
 * What goes wrong becomes the reason the browser is told when its WebSocket closes: the upstream's address is none of its business,
 * and a reason of more than 123 bytes, such as a certificate's list of names, would end the process.
 */
function beginHandshake(handshake: ClientRequest, log: FastifyBaseLogger): void {
  handshake.prependListener('error', error => {
    log.warn({ err: error.message, upstream: handshake.host }, 'upstream trouble');
    error.message = 'the service did not answer';
  });
  // An ordinary answer instead of an upgrade: nobody reads it, and it would hold its connection for ever.
  handshake.on('response', () => handshake.destroy());
  handshake.end();
}

/** The same headers as over HTTP; the WebSocket client writes those of the handshake itself. */
function upgradeHeaders(request: FastifyRequest, deps: ForwardDeps): Record<string, string | string[]> {
  const headers = requestHeaders(request.headers, factsOf(request, deps));
  for (const name of Object.keys(headers)) if (name.startsWith('sec-websocket-')) delete headers[name];
  return headers;
}

function answerHeaders(headers: Parameters<typeof responseHeaders>[0], request: FastifyRequest, deps: ForwardDeps) {
  const page = request.page!;
  if (String(headers['content-type'] ?? '').startsWith('text/event-stream')) deps.live.add(request, () => request.raw.destroy());
  return responseHeaders(headers, { origin: request.site!.origin, upstream: page.upstream, kind: page.kind, ownCookies: deps.ownCookies });
}

function unreachable(reply: FastifyReply, error: Error & { statusCode?: number }, deps: ForwardDeps): void {
  const request = reply.request;
  request.log.warn({ err: error.message, upstream: request.page?.upstream }, 'upstream trouble');
  const service = deps.catalogue.services.find(entry => entry.id === request.page?.service) ?? null;
  const code: ProblemCode =
    error.statusCode === 504 ? 'upstream-slow' : error.statusCode === 502 ? 'upstream-failed' : 'upstream-unreachable';
  deps.answers.problem(request, reply, code, service);
}
