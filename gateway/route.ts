import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Catalogue, Page, Site } from '#config/catalogue.ts';
import type { Answers } from './answers.ts';
import type { Cookies } from './cookies.ts';
import { createFilter, type RequestFacts, type ResponseFacts, responseFacts } from './headers.ts';
import type { IdentityOf } from './identity.ts';
import type { ProblemCode } from './problems.ts';
import type { Upstream, Upstreams } from './upstreams.ts';

/** What every way of forwarding needs to know of a request that was judged. */
export type Route = {
  upstreamOf(request: FastifyRequest): Upstream;
  requestFacts(request: FastifyRequest): RequestFacts;
  answerFacts(request: FastifyRequest): ResponseFacts;
  /** The page that says what went wrong, naming the service and whom to ask; the reason itself is for the log. */
  trouble(request: FastifyRequest, reply: FastifyReply, code: ProblemCode, why: string): void;
};

export type RouteDeps = {
  catalogue: Catalogue;
  upstreams: Upstreams;
  identityOf: IdentityOf;
  cookies: Pick<Cookies, 'names'>;
  answers: Answers;
};

type Known = { upstream: Upstream; host: string; protocol: 'http' | 'https'; answer: ResponseFacts };

/** Builds it from the catalogue, once, since that never changes. Throws for a request whose page nobody has judged. */
export function createRoute({ catalogue, upstreams, identityOf, cookies, answers }: RouteDeps): Route {
  const ownCookies = cookies.names;
  const endsHere = createFilter(catalogue.sites.flatMap(site => site.pages.flatMap(page => Object.values(page.headers))));
  const pages = new Map<Page, Known>();
  for (const site of catalogue.sites) for (const page of site.pages) pages.set(page, knownOf(site, page));

  function knownOf({ origin }: Site, { upstream, kind }: Page): Known {
    const { host, protocol } = new URL(origin);
    const answer = responseFacts(origin, upstream, kind, ownCookies);
    return { upstream: upstreams.of(upstream), host, protocol: protocol === 'https:' ? 'https' : 'http', answer };
  }

  function pageOf({ page }: FastifyRequest): Known {
    const known = page ? pages.get(page) : undefined;
    if (!known) throw new Error('a request was to be forwarded that nobody has judged');
    return known;
  }

  return {
    upstreamOf: request => pageOf(request).upstream,
    requestFacts(request) {
      const { upstream, host, protocol } = pageOf(request);
      return {
        identity: identityOf(request),
        host,
        toldHost: upstream.toldHost,
        protocol,
        clientAddress: request.ip,
        ownCookies,
        endsHere,
      };
    },
    answerFacts: request => pageOf(request).answer,
    trouble(request, reply, code, why) {
      request.log.warn({ err: why, upstream: request.page?.upstream }, 'upstream trouble');
      const service = catalogue.services.find(entry => entry.id === request.page?.service) ?? null;
      answers.problem(request, reply, code, service);
    },
  };
}

/** What may stand behind a status. Old servers write any bytes there, and Node throws at the sight of some of them. */
export const readableReason = (reason: string): string => reason.replace(/[^\t\x20-\x7e\x80-\xff]/g, '');

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
