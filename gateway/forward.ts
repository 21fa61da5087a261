import { METHODS } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Catalogue } from '#config/catalogue.ts';
import type { Settings } from '#config/settings.ts';
import type { Answers } from './answers.ts';
import type { Cookies } from './cookies.ts';
import { addDispatch } from './dispatch.ts';
import { type RequestFacts, type ResponseFacts, responseFacts } from './headers.ts';
import { addHttpProxy } from './http-proxy.ts';
import type { IdentityOf } from './identity.ts';
import type { LiveConnections } from './live.ts';
import type { ProblemCode } from './problems.ts';
import type { Upstream, Upstreams } from './upstreams.ts';

/** How a judged request reaches its legacy server. */
export type ForwardDeps = {
  catalogue: Catalogue;
  upstreams: Upstreams;
  settings: Pick<Settings, 'engine'>;
  identityOf: IdentityOf;
  cookies: Pick<Cookies, 'names'>;
  answers: Answers;
  live: LiveConnections;
};

/** What every way of forwarding needs to know of a request; worked out from the catalogue once, since it never changes. */
export type Route = {
  upstreamOf(request: FastifyRequest): Upstream;
  requestFacts(request: FastifyRequest): RequestFacts;
  answerFacts(request: FastifyRequest): ResponseFacts;
  /** The page that says what went wrong, naming the service and whom to ask; the reason itself is for the log. */
  trouble(request: FastifyRequest, reply: FastifyReply, code: ProblemCode, why: string): void;
};

/** Registers the one catch-all of the sites' scope; whatever reaches it was judged by the scope's hooks. */
export async function addForwarding(sites: FastifyInstance, deps: ForwardDeps): Promise<Route> {
  // WebDAV and its like too: whatever Node can read may be forwarded. TRACE is refused before it gets here, CONNECT by Node itself.
  const methods = METHODS.filter(method => method !== 'CONNECT' && method !== 'TRACE');
  for (const method of methods) if (!sites.supportedMethods.includes(method)) sites.addHttpMethod(method, { hasBody: true });
  const route = createRoute(deps);
  if (deps.settings.engine === 'http-proxy') await addHttpProxy(sites, methods, deps, route);
  else addDispatch(sites, methods, deps, route);
  return route;
}

function createRoute({ catalogue, upstreams, identityOf, cookies, answers }: ForwardDeps): Route {
  const ownCookies = cookies.names;
  const hosts = new Map(catalogue.sites.map(site => [site, new URL(site.origin).host]));
  const answerFacts = new Map(
    catalogue.sites.flatMap(site => site.pages.map(page => [page, responseFacts(site.origin, page.upstream, page.kind, ownCookies)])),
  );
  return {
    upstreamOf: request => upstreams.of(request.page!.upstream),
    requestFacts: request => ({
      identity: identityOf(request),
      host: hosts.get(request.site!)!,
      toldHost: upstreams.of(request.page!.upstream).toldHost,
      protocol: request.site!.origin.startsWith('https:') ? 'https' : 'http',
      clientAddress: request.ip,
      ownCookies,
    }),
    answerFacts: request => answerFacts.get(request.page!)!,
    trouble(request, reply, code, why) {
      request.log.warn({ err: why, upstream: request.page?.upstream }, 'upstream trouble');
      const service = catalogue.services.find(entry => entry.id === request.page?.service) ?? null;
      answers.problem(request, reply, code, service);
    },
  };
}

/** Which page tells of a failure, and whether the legacy server itself is to blame for it. */
export function codeOfFailure(error: Error & { code?: string | undefined }): ProblemCode {
  if (SLOW.has(error.code ?? '')) return 'upstream-slow';
  return UNREACHABLE.has(error.code ?? '') ? 'upstream-unreachable' : 'upstream-failed';
}

const SLOW = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);
const UNREACHABLE = new Set([
  ...['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT'],
  ...['DEPTH_ZERO_SELF_SIGNED_CERT', 'ERR_TLS_CERT_ALTNAME_INVALID', 'CERT_HAS_EXPIRED', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
]);
