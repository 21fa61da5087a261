import { randomBytes } from 'node:crypto';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, LogController } from 'fastify';
import type { Catalogue } from '#config/catalogue.ts';
import type { Settings } from '#config/settings.ts';
import { isOutage } from '#store/outage.ts';
import type { Answers } from './answers.ts';
import { splitTarget } from './canonical-path.ts';
import type { ProblemCode } from './problems.ts';
import { requestLog } from './request-log.ts';
import type { Sites } from './sites.ts';
import { createTrust } from './trusted-proxies.ts';

export type ServerDeps = {
  settings: Pick<Settings, 'trustedProxies' | 'logLevel'>;
  sites: Sites;
  log?: NodeJS.WritableStream;
};

const MOST_HEADERS = 100;

/** The bare app: what holds for every request before anybody asks whose it is. Another server listens for it (`serving.ts`). */
export function createServer({ settings, sites, log }: ServerDeps): FastifyInstance {
  const app: FastifyInstance = fastify({
    logger: { level: settings.logLevel, ...(log ? { stream: log } : {}), serializers: { req: withoutQuery } },
    logController: new LogController({ disableRequestLogging: true }),
    childLoggerFactory: requestLog,
    genReqId: newReference,
    requestIdHeader: false,
    // An address that the router cannot read: by default it is sent back as it came.
    frameworkErrors: (error, request, reply) => app.errorHandler(error, request, reply),
    // Only a named proxy may say who the client is and that it came by https (CVE-2026-3635, CVE-2026-40575).
    trustProxy: settings.trustedProxies.length > 0 ? createTrust(settings.trustedProxies) : false,
    rewriteUrl: ({ url = '/' }) => (url.includes('%') ? readableByRouter(url) : url),
    routerOptions: { maxParamLength: 200, constraints: { place: placeConstraint(sites) } },
  });
  for (const name of ['site', 'page', 'signedIn', 'visitor', 'formSecret', 'keptForm']) app.decorateRequest(name, null);
  app.decorateRequest('csrf', '');
  return app;
}

/** Tells a client that waits with its body (`Expect: 100-continue`) to send it; called once the request may go on. */
export function inviteBody(request: FastifyRequest, reply: FastifyReply): void {
  if (request.headers.expect?.toLowerCase() === '100-continue') reply.raw.writeContinue();
}

/** Refuses what no page should ever see, and answers what nobody else answers. */
export function addFirstChecks(app: FastifyInstance, deps: { answers: Answers; sites: Sites; catalogue: Catalogue }): void {
  const { answers, sites, catalogue } = deps;
  const secure = catalogue.portal.origin.startsWith('https:');
  app.addHook('onRequest', (request, reply, next) => {
    // Here the router's own spelling ends: what is judged and forwarded are the bytes that came.
    request.raw.url = request.originalUrl;
    const fault = faultOf(request, sites);
    if (fault) answers.problem(request, reply, fault);
    else if (secure && request.protocol !== 'https') toHttps(request, reply, deps);
    else next();
  });
  app.setNotFoundHandler((request, reply) => answers.problem(request, reply, 'not-found'));
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) request.log.error({ err: error }, 'unexpected failure');
    return answers.problem(request, reply, isOutage(error) ? 'data-unavailable' : codeOf(status));
  });
}

/** Routes are told apart by the place that a request's host is in normal form, never by the router's own comparison of hosts. */
function placeConstraint(sites: Sites) {
  return {
    name: 'place',
    mustMatchWhenDerived: true,
    storage: () => {
      const handlers = new Map();
      return {
        get: (place: string) => handlers.get(place) ?? null,
        set: (place: string, handler: unknown) => void handlers.set(place, handler),
      };
    },
    deriveConstraint: (request: { headers: { host?: string | undefined } }) => sites.place(request.headers.host).kind,
    validate: () => true,
  };
}

/**
 * The router takes escapes for UTF-8 and refuses all others, but old sites have addresses in Latin-1 (`/caf%E9.html`). It is shown such
 * a path with its percent signs escaped: that meets no route but the one for whatever is left, where paths are judged by our own rules.
 */
function readableByRouter(url: string): string {
  const { path, query } = splitTarget(url);
  try {
    decodeURIComponent(path);
    return url;
  } catch {
    return path.replaceAll('%', '%25') + query;
  }
}

/** What is wrong with a request, whoever sent it (RFC 9112 §3.2, RFC 9110 §9.3.8). */
function faultOf(request: FastifyRequest, sites: Sites): ProblemCode | null {
  const { headers, rawHeaders, url = '', httpVersionMajor } = request.raw;
  // Node's parser takes 0.9 and 2.0 in the first line as well, and the proxy engine would handle the latter by other rules.
  if (httpVersionMajor !== 1) return 'bad-request';
  if (rawHeaders.length > 2 * MOST_HEADERS) return 'too-many-headers';
  if (hostsIn(rawHeaders) !== 1 || !url.startsWith('/')) return 'bad-request';
  // Node's parser gives a request with another coding to us before it refuses its body, and nothing of it may get any further by then.
  if ((headers['transfer-encoding'] ?? 'chunked').toLowerCase() !== 'chunked') return 'bad-request';
  if (request.method === 'TRACE') return 'method-not-allowed';
  return sites.place(request.headers.host).kind === 'unknown' ? 'unknown-host' : null;
}

/** How many Host headers there are. Lengths are compared first: nearly every other name is told apart by its own. */
function hostsIn(rawHeaders: readonly string[]): number {
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index];
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  return hosts;
}

/** Never a permanent redirect: which addresses are ours must stay reversible. */
function toHttps(
  request: FastifyRequest,
  reply: FastifyReply,
  deps: { answers: Answers; sites: Sites; catalogue: Catalogue },
): FastifyReply {
  // Behind a proxy that nobody named, every address leads to itself for ever, and only the log can tell why.
  if (request.headers['x-forwarded-proto'] === 'https')
    request.log.warn({ from: request.socket.remoteAddress }, 'X-Forwarded-Proto is not believed: TRUSTED_PROXIES does not name its sender');
  if (request.method !== 'GET') return deps.answers.problem(request, reply, 'secure-connection-needed');
  const place = deps.sites.place(request.headers.host);
  const origin = place.kind === 'site' ? place.site.origin : deps.catalogue.portal.origin;
  return reply.header('cache-control', 'no-store').redirect(origin + request.url, 302);
}

function codeOf(status: number): ProblemCode {
  if (status === 413) return 'too-large';
  if (status === 415) return 'unsupported-body';
  return status < 500 ? 'bad-request' : 'internal';
}

const REFERENCE_LETTERS = 12;
let randomness = '';
let used = 0;

/** Short enough to be read out on the telephone, long enough not to repeat within a log's life. */
function newReference(): string {
  // Asking the system for six bytes at every request would cost more than judging it.
  if (used === randomness.length)
    [randomness, used] = [
      randomBytes(512 * REFERENCE_LETTERS)
        .toString('hex')
        .toUpperCase(),
      0,
    ];
  const from = used;
  used += REFERENCE_LETTERS;
  return `${randomness.slice(from, from + 4)}-${randomness.slice(from + 4, from + 8)}-${randomness.slice(from + 8, used)}`;
}

/** Addresses carry codes and return addresses in their queries: none of that belongs in a log. */
const withoutQuery = (request: FastifyRequest) => ({ method: request.method, host: request.host, path: request.url.split('?', 1)[0] });
