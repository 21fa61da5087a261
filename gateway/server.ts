import { randomBytes } from 'node:crypto';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, LogController } from 'fastify';
import type { Catalogue } from '#config/catalogue.ts';
import type { Settings } from '#config/settings.ts';
import type { Answers } from './answers.ts';
import type { ProblemCode } from './problems.ts';
import type { Sites } from './sites.ts';
import { isWebSocketHandshake } from './upgrade.ts';

export type ServerDeps = {
  settings: Pick<Settings, 'trustedProxies' | 'logLevel'>;
  sites: Sites;
  log?: NodeJS.WritableStream;
};

const MOST_HEADERS = 100;

/** How Node is to read requests: for the server that listens (`serving.ts`) as for the one that Fastify makes for itself. */
export const readingRules = { shouldUpgradeCallback: isWebSocketHandshake };

/** The bare app: what holds for every request before anybody asks whose it is. Another server listens for it. */
export function createServer({ settings, sites, log }: ServerDeps): FastifyInstance {
  const app: FastifyInstance = fastify({
    logger: { level: settings.logLevel, ...(log ? { stream: log } : {}), serializers: { req: withoutQuery } },
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: newReference,
    requestIdHeader: false,
    // An address that the router cannot read: by default it is sent back as it came.
    frameworkErrors: (error, request, reply) => app.errorHandler(error, request, reply),
    // Only a named proxy may say who the client is and that it came by https (CVE-2026-3635, CVE-2026-40575).
    trustProxy: settings.trustedProxies.length > 0 ? settings.trustedProxies : false,
    http: readingRules,
    routerOptions: { maxParamLength: 200, constraints: { place: placeConstraint(sites) } },
  });
  // Node ignores headers past this number, a Content-Length among them (CVE-2026-58044): take all, and refuse too many ourselves.
  app.server.maxHeadersCount = 0;
  // Node would ask for the body before anybody has judged. A refused one may come all the same or not, so its connection ends.
  app.server.on('checkContinue', (request, response) => {
    response.shouldKeepAlive = false;
    app.routing(request, response);
  });
  for (const name of ['site', 'page', 'signedIn', 'visitor', 'formSecret']) app.decorateRequest(name, null);
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
    const fault = faultOf(request, sites);
    if (fault) answers.problem(request, reply, fault);
    else if (secure && request.protocol !== 'https') toHttps(request, reply, deps);
    else next();
  });
  app.setNotFoundHandler((request, reply) => answers.problem(request, reply, 'not-found'));
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) request.log.error({ err: error }, 'unexpected failure');
    return answers.problem(request, reply, codeOf(status));
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

/** What is wrong with a request, whoever sent it (RFC 9112 §3.2, RFC 9110 §9.3.8). */
function faultOf(request: FastifyRequest, sites: Sites): ProblemCode | null {
  const { rawHeaders, url = '', httpVersionMajor } = request.raw;
  // Node's parser takes 0.9 and 2.0 in the first line as well, and the proxy engine would handle the latter by other rules.
  if (httpVersionMajor !== 1) return 'bad-request';
  if (rawHeaders.length > 2 * MOST_HEADERS) return 'too-many-headers';
  if (hostsIn(rawHeaders) !== 1 || !url.startsWith('/')) return 'bad-request';
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

const REFERENCE_BYTES = 6;
let randomness = Buffer.alloc(0);

/** Short enough to be read out on the telephone, long enough not to repeat within a log's life. */
function newReference(): string {
  // Asking the system for six bytes at every request would cost more than judging it.
  if (randomness.length < REFERENCE_BYTES) randomness = randomBytes(1024 * REFERENCE_BYTES);
  const text = randomness.toString('hex', 0, REFERENCE_BYTES).toUpperCase();
  randomness = randomness.subarray(REFERENCE_BYTES);
  return `${text.slice(0, 4)}-${text.slice(4, 8)}-${text.slice(8)}`;
}

/** Addresses carry codes and return addresses in their queries: none of that belongs in a log. */
const withoutQuery = (request: FastifyRequest) => ({ method: request.method, host: request.host, path: request.url.split('?', 1)[0] });
