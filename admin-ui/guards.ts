import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { organisation as organisationById } from '#store/organisations.ts';
import { administratorNames } from '#store/rights.ts';
import type { OrganisationRow } from '#store/tables.ts';
import { isHtmx, leadHtmx } from '#views/htmx.ts';
import { visitorOf } from '#views/visitor.ts';
import { parseId, withReturn } from './addresses.ts';
import type { AdminDeps } from './deps.ts';
import { freshSince, keepFresh } from './step-up.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The organisation of the address, once the guard has found that the visitor administers it. */
    administered: OrganisationRow | null;
  }
}

const notAdministrator = 'You are not an Organisation Administrator';

/** Lets in whoever administers any of their organisations: a security phone belongs to the person, not to one of them. */
export function guardAdministrators(scope: FastifyInstance, deps: AdminDeps): void {
  scope.addHook('preHandler', async (request, reply) => {
    if (!request.visitor) return sendElsewhere(request, reply, deps.signInAddress(placeOf(request, '/security-code')));
    const { personId, organisations } = request.visitor;
    for (const { id } of organisations) {
      const decision = await deps.policies.decide({ person: personId, organisation: id, service: 'organisation-admin', action: 'use' });
      if (decision.outcome === 'allow') return;
      if (decision.reason === 'rights-not-known') return deps.problem(request, reply, 'rights-not-known');
    }
    return reply.code(403).page('admin-ui/refused', { title: notAdministrator, organisation: null, administrators: [] });
  });
}

/** Lets in the administrators of the address's organisation. A foreign organisation looks like one that does not exist. */
export function guardOrganisation(scope: FastifyInstance, deps: AdminDeps): void {
  scope.decorateRequest('administered', null);
  scope.addHook('preHandler', async (request, reply) => {
    if (!request.visitor) return sendElsewhere(request, reply, deps.signInAddress(placeOf(request)));
    const id = parseId((request.params as { organisation?: string }).organisation);
    if (id === null) return deps.problem(request, reply, 'not-found');
    const question = { person: request.visitor.personId, organisation: id, service: 'organisation-admin', action: 'use' } as const;
    const { outcome, reason } = await deps.policies.decide(question);
    if (reason === 'rights-not-known') return deps.problem(request, reply, 'rights-not-known');
    if (reason === 'not-a-member') return deps.problem(request, reply, 'not-found');
    const organisation = await organisationById(deps.store.db, id);
    if (!organisation) return deps.problem(request, reply, 'not-found');
    if (outcome !== 'allow') return refuse(reply, deps, organisation);
    request.administered = organisation;
  });
}

/** Asks for a code, unless one was right in this session and the person has not been away from administration for long. */
export function guardCode(scope: FastifyInstance, deps: AdminDeps): void {
  scope.addHook('preHandler', async (request, reply) => {
    const { sessionId } = visitorOf(request);
    const since = await freshSince(deps.store.db, sessionId, deps);
    if (since === null) return sendElsewhere(request, reply, withReturn('/security-code', placeOf(request)));
    await keepFresh(deps.store.db, sessionId, since, deps.now());
  });
}

/** The organisation whose administration this is; the guards let nobody through without one. */
export function administered(request: FastifyRequest): OrganisationRow {
  if (!request.administered) throw new Error('this page was reached without its guard');
  return request.administered;
}

/** The page to come back to. A form cannot be sent again by a redirect, so its own page is where the person starts over. */
function placeOf(request: FastifyRequest, forForms?: string): string {
  const read = request.method === 'GET' || request.method === 'HEAD';
  return read ? request.url : (forForms ?? request.url);
}

function sendElsewhere(request: FastifyRequest, reply: FastifyReply, address: string): FastifyReply {
  if (isHtmx(request.headers)) return leadHtmx(reply, address);
  return reply.header('cache-control', 'no-store').redirect(address, 303);
}

/** For somebody who was an administrator when the request came in and no longer is when the change is made. */
export function refuseDismissed(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return reply
    .code(403)
    .page('admin-ui/refused', { title: notAdministrator, organisation: administered(request).name, administrators: [] });
}

async function refuse(reply: FastifyReply, { store, now }: AdminDeps, organisation: OrganisationRow): Promise<FastifyReply> {
  return reply.code(403).page('admin-ui/refused', {
    title: notAdministrator,
    organisation: organisation.name,
    administrators: await administratorNames(store.db, organisation.id, now()),
  });
}
