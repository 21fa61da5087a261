import type { FastifyReply, FastifyRequest } from 'fastify';
import { sayInstant } from '#config/calendar.ts';
import type { Service } from '#config/catalogue.ts';
import { isHtmx, leadHtmx } from '#views/htmx.ts';
import type { Views } from '#views/render.ts';
import { wantsJson } from './client.ts';
import { type DeniedPageDeps, deniedPage, type Refusal } from './denied-page.ts';
import { type Problem, type ProblemCode, problems } from './problems.ts';

/** How a refusal or a failure looks: a page for a person, JSON for a program; each with the reference that finds it in the log. */
export type Answers = {
  problem(request: FastifyRequest, reply: FastifyReply, code: ProblemCode, service?: Service | null): FastifyReply;
  /** For those who may use a service that the council has closed for a while. */
  closed(request: FastifyRequest, reply: FastifyReply, service: Service, closure: NonNullable<Service['maintenance']>): FastifyReply;
  signInNeeded(request: FastifyRequest, reply: FastifyReply, signInAddress: string): FastifyReply;
  denied(request: FastifyRequest, reply: FastifyReply, refusal: Refusal): Promise<FastifyReply>;
  /** A page at a legacy host that asks to press something. */
  question(reply: FastifyReply, template: string, data: object): FastifyReply;
};

export type AnswersDeps = DeniedPageDeps & { views: Views };

/** Builds the answers. They may be given on the portal and on every legacy host. */
export function createAnswers(deps: AnswersDeps): Answers {
  return {
    problem: (request, reply, code, service = null) => sendProblem(deps, request, reply, code, problems[code], service),
    closed: (request, reply, service, closure) =>
      sendProblem(deps, request, reply, 'service-closed', closedProblem(service, closure, deps.now()), service),
    signInNeeded: sendSignInNeeded,
    denied: (request, reply, refusal) => sendDenied(deps, request, reply, refusal),
    // No frame may hold it, or somebody could be tricked into pressing; and the old page that takes the form may lead on to anywhere.
    question: (reply, template, data) =>
      sendPage(deps, reply.header('cache-control', 'no-store'), template, data, "frame-ancestors 'none'"),
  };
}

function sendProblem(
  deps: AnswersDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  code: ProblemCode,
  { status, title, lines, retryAfterSeconds }: Problem,
  service: Service | null,
): FastifyReply {
  const reference = request.id;
  request.log.info({ problem: code, status, req: request }, 'request not served');
  reply.code(status).header('cache-control', 'no-store');
  if (retryAfterSeconds !== undefined) reply.header('retry-after', String(retryAfterSeconds));
  if (wantsJson(request.headers) && !isHtmx(request.headers)) return reply.send({ error: code, message: lines[0], reference });
  const named = service && { name: service.fullName, contact: service.contact };
  return sendPage(deps, reply, 'gateway/portal/error', { title, lines, service: named, reference });
}

function closedProblem({ fullName }: Service, { words, until }: NonNullable<Service['maintenance']>, now: number): Problem {
  const closed: Problem = problems['service-closed'];
  const lines = [`You are allowed to use ${fullName}, but it is closed at the moment.`, words];
  if (until === null) return { ...closed, lines: [...lines, 'Try again later.'] };
  return { ...closed, lines: [...lines, `It opens again on ${sayInstant(until)}.`], retryAfterSeconds: Math.ceil((until - now) / 1000) };
}

function sendSignInNeeded(request: FastifyRequest, reply: FastifyReply, signInAddress: string): FastifyReply {
  if (isHtmx(request.headers)) return leadHtmx(reply, signInAddress);
  const message = 'Sign in to the Services Portal first.';
  return reply.code(401).header('cache-control', 'no-store').send({ error: 'sign-in-needed', message, signIn: signInAddress });
}

async function sendDenied(deps: AnswersDeps, request: FastifyRequest, reply: FastifyReply, refusal: Refusal): Promise<FastifyReply> {
  const { decision, page, session } = refusal;
  if (decision.reason === 'rights-not-known')
    return sendProblem(deps, request, reply, 'rights-not-known', problems['rights-not-known'], null);
  const { person, organisation } = session;
  const who = { person: person.id, organisation: organisation?.id ?? null };
  request.log.info({ reason: decision.reason, service: page.service, ...who, req: request }, 'access refused');
  reply.code(403).header('cache-control', 'no-store');
  if (wantsJson(request.headers))
    return reply.send({ error: 'access-refused', message: 'You do not have access to this page.', reference: request.id });
  return sendPage(deps, reply, 'gateway/portal/denied', await deniedPage(deps, request, refusal));
}

/**
 * These pages are shown on legacy hosts too, where helmet does not run. An old page may show its neighbours in frames, so a frame of
 * the same site may hold a refusal: there is nothing on it to be tricked into pressing.
 */
function sendPage(
  { catalogue, views }: AnswersDeps,
  reply: FastifyReply,
  template: string,
  data: object,
  limits = `form-action ${catalogue.portal.origin};frame-ancestors 'self'`,
): FastifyReply {
  const portal = catalogue.portal.origin;
  return reply
    .headers({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': `default-src 'none';style-src ${portal};img-src ${portal};font-src ${portal};base-uri 'none';${limits}`,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'same-origin',
    })
    .send(views.render(template, data));
}
