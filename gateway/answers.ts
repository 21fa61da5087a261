import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Catalogue, Page, Service, Site } from '#config/catalogue.ts';
import { opensAt } from '#config/catalogue.ts';
import type { Decision } from '#policies/decision.ts';
import type { Policies } from '#policies/policies.ts';
import type { Store } from '#store/database.ts';
import { fullName } from '#store/names.ts';
import { administratorsOf } from '#store/rights.ts';
import type { Views } from '#views/render.ts';
import { isHtmx, wantsJson } from './client.ts';
import { type ProblemCode, problems } from './problems.ts';
import type { Session } from './sessions.ts';

/** How a refusal or a failure looks: a page for a person, JSON for a program; each with the reference that finds it in the log. */
export type Answers = {
  problem(request: FastifyRequest, reply: FastifyReply, code: ProblemCode, service?: Service | null): FastifyReply;
  signInNeeded(request: FastifyRequest, reply: FastifyReply, signInAddress: string): FastifyReply;
  denied(request: FastifyRequest, reply: FastifyReply, refusal: Refusal): Promise<FastifyReply>;
};
export type Refusal = { decision: Decision; site: Site; page: Page; session: Session };

export type AnswersDeps = { catalogue: Catalogue; views: Views; store: Store; policies: Policies; now: () => number };

export function createAnswers(deps: AnswersDeps): Answers {
  const { catalogue, views } = deps;

  const problem: Answers['problem'] = (request, reply, code, service = null) => {
    const { status, title, lines } = problems[code];
    request.log.info({ problem: code, status }, 'request not served');
    reply.code(status).header('cache-control', 'no-store');
    if (wantsJson(request.headers) && !isHtmx(request.headers))
      return reply.send({ error: code, message: lines[0], reference: request.id });
    const named = service ? { name: service.fullName, contact: service.contact } : null;
    return html(
      reply,
      views.render('gateway/portal/error', {
        standalone: true,
        title,
        lines,
        service: named,
        reference: request.id,
        portalOrigin: catalogue.portal.origin,
      }),
      deps,
    );
  };

  return {
    problem,

    signInNeeded(request, reply, signInAddress) {
      reply.header('cache-control', 'no-store');
      if (isHtmx(request.headers)) return reply.code(401).header('hx-redirect', signInAddress).send('');
      return reply.code(401).send({ error: 'sign-in-needed', message: 'Sign in to the Services Portal first.', signIn: signInAddress });
    },

    async denied(request, reply, refusal) {
      if (refusal.decision.reason === 'rights-not-known') return problem(request, reply.header('retry-after', '5'), 'rights-not-known');
      request.log.info(
        { reason: refusal.decision.reason, service: refusal.page.service, person: refusal.session.person.id },
        'access refused',
      );
      reply.code(403).header('cache-control', 'no-store');
      if (wantsJson(request.headers))
        return reply.send({ error: 'access-refused', message: 'You do not have access to this page.', reference: request.id });
      return html(reply, views.render('gateway/portal/denied', await deniedPage(deps, request, refusal)), deps);
    },
  };
}

/**
 * These pages are shown on legacy hosts too, where helmet does not run. An old page may show its neighbours in frames, so a frame of
 * the same site may hold a refusal: there is nothing on it to be tricked into pressing.
 */
function html(reply: FastifyReply, text: string, { catalogue }: AnswersDeps): FastifyReply {
  const portal = catalogue.portal.origin;
  return reply
    .headers({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': `default-src 'none';style-src ${portal};img-src ${portal};font-src ${portal};form-action ${portal};frame-ancestors 'self';base-uri 'none'`,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'same-origin',
    })
    .send(text);
}

/** Why, for whom, and what to do next; nothing of the legacy page itself, not even its title. */
async function deniedPage(deps: AnswersDeps, request: FastifyRequest, { decision, site, page, session }: Refusal) {
  const { catalogue, store, now } = deps;
  const service = catalogue.services.find(entry => entry.id === page.service) ?? null;
  const administrators = session.organisation ? await administratorsOf(store.db, session.organisation.id, now()) : [];
  const elsewhere = service ? await organisationsThatMay(deps, session, service.id) : [];
  return {
    standalone: true,
    variant: variantOf(decision, service, elsewhere.length > 0),
    service: service && { name: service.fullName, contact: service.contact, opensOn: opensAt(service) },
    person: session.person.name,
    organisation: session.organisation?.name ?? null,
    administers: session.organisation && administrators.some(({ id }) => id === session.person.id) ? session.organisation.id : null,
    administrators: administrators.map(person => ({ name: fullName(person) })),
    elsewhere,
    switchAddress: `${catalogue.portal.origin}/organisation?${new URLSearchParams({ return: site.origin + request.url })}`,
    reference: request.id,
    portalOrigin: catalogue.portal.origin,
  };
}

function variantOf({ reason }: Decision, service: Service | null, mayElsewhere: boolean): string {
  if (mayElsewhere) return 'other-organisation';
  if (reason === 'no-subscription' || reason === 'organisation-closed') return 'no-subscription';
  if (reason === 'service-not-open') return 'not-open';
  if (reason === 'blocked') return 'blocked';
  if (reason === 'person-inactive' || reason === 'not-a-member') return 'inactive';
  return service?.whoMayGrant === 'council' ? 'council-gives' : 'no-grant';
}

async function organisationsThatMay(deps: AnswersDeps, session: Session, service: string) {
  const others = session.organisations.filter(organisation => organisation.id !== session.organisation?.id);
  const decisions = await Promise.all(
    others.map(other => deps.policies.decide({ person: session.person.id, organisation: other.id, service, action: 'use' })),
  );
  return others.filter((_, index) => decisions[index]?.outcome === 'allow').map(({ id, name }) => ({ id, name }));
}
