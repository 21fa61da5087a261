import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Catalogue, closureAt, type Page, type Service, type Site } from '#config/catalogue.ts';
import type { Answers } from '../answers.ts';
import type { Cookies } from '../cookies.ts';
import type { IdentityOf } from '../identity.ts';
import type { ProblemCode } from '../problems.ts';
import { createFilter, type RequestFacts, type ResponseFacts, responseFacts } from './headers.ts';
import type { Upstream, Upstreams } from './upstreams.ts';

/** What every way of forwarding needs to know of a request that was judged. */
export type Route = {
  upstreamOf(request: FastifyRequest): Upstream;
  requestFacts(request: FastifyRequest): RequestFacts;
  answerFacts(request: FastifyRequest): ResponseFacts;
  /** Answers at once, and says so, if the service is closed or its server should not be asked now. */
  refuses(request: FastifyRequest, reply: FastifyReply): boolean;
  /** As `trouble`, for what went wrong with the legacy server itself, which it is remembered for. */
  failed(request: FastifyRequest, reply: FastifyReply, error: Failure): void;
  /** The page that says what went wrong, naming the service and whom to ask; the reason itself is for the log. */
  trouble(request: FastifyRequest, reply: FastifyReply, code: ProblemCode, why: string): void;
};

type Failure = Error & { code?: string | undefined };

export type RouteDeps = {
  catalogue: Catalogue;
  upstreams: Upstreams;
  identityOf: IdentityOf;
  cookies: Pick<Cookies, 'names'>;
  answers: Answers;
  now: () => number;
};

type Known = { upstream: Upstream; service: Service | null; host: string; protocol: 'http' | 'https'; answer: ResponseFacts };

/** Builds it from the catalogue, once, since that never changes. Throws for a request whose page nobody has judged. */
export function createRoute({ catalogue, upstreams, identityOf, cookies, answers, now }: RouteDeps): Route {
  const ownCookies = cookies.names;
  const endsHere = createFilter(catalogue.sites.flatMap(site => site.pages.flatMap(page => Object.values(page.headers))));
  const pages = new Map<Page, Known>();
  for (const site of catalogue.sites) for (const page of site.pages) pages.set(page, knownOf(site, page));

  function knownOf({ origin }: Site, { upstream, kind, service: id }: Page): Known {
    const { host, protocol } = new URL(origin);
    const answer = responseFacts(origin, upstream, kind, ownCookies);
    const service = catalogue.services.find(entry => entry.id === id) ?? null;
    return { upstream: upstreams.of(upstream), service, host, protocol: protocol === 'https:' ? 'https' : 'http', answer };
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
    refuses(request, reply) {
      const { upstream, service } = pageOf(request);
      const closure = service?.maintenance ? closureAt(service, now()) : null;
      if (service && closure) {
        answers.closed(request, reply, service, closure);
        return true;
      }
      const refusal = upstream.refusal();
      if (refusal) trouble(request, reply, refusal, 'not asked');
      return refusal !== null;
    },
    failed(request, reply, error) {
      const code = codeOfFailure(error);
      // Whoever sends a form slowly makes the legacy server wait: that says nothing about the server.
      if (code === 'upstream-unreachable' || (code === 'upstream-slow' && request.raw.complete)) pageOf(request).upstream.failed();
      // Where every address of a name failed, Node has no words for it.
      trouble(request, reply, code, error.message || (error.code ?? error.name));
    },
    trouble,
  };

  function trouble(request: FastifyRequest, reply: FastifyReply, code: ProblemCode, why: string): void {
    request.log.warn({ err: why, upstream: request.page?.upstream }, 'upstream trouble');
    answers.problem(request, reply, code, pageOf(request).service);
  }
}

/** What may stand behind a status. Old servers write any bytes there, and Node throws at the sight of some of them. */
export const readableReason = (reason: string): string => (reason === 'OK' ? reason : reason.replace(/[^\t\x20-\x7e\x80-\xff]/g, ''));

/** Which page tells of a failure. */
function codeOfFailure({ code = '' }: Failure): ProblemCode {
  if (SLOW.has(code)) return 'upstream-slow';
  return UNREACHABLE.has(code) ? 'upstream-unreachable' : 'upstream-failed';
}

const SLOW = new Set(['HEADERS_TIMEOUT', 'BODY_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);
const UNREACHABLE = new Set([
  ...['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'CONNECT_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT'],
  ...['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY'],
  ...['ERR_TLS_CERT_ALTNAME_INVALID', 'CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'],
]);
