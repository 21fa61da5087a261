import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type FieldError, fieldOf } from '#views/forms.ts';
import type { Banner } from '#views/render.ts';
import { visitorOf } from '#views/visitor.ts';
import { personAddress, personIn } from '../addresses.ts';
import type { AdminDeps } from '../deps.ts';
import { administered, refuseDismissed } from '../guards.ts';
import { savedBanner } from '../saved-banner.ts';
import { lastAdministrator } from '../standing.ts';
import type { AccessForm } from './form.ts';
import { type Asked, type Saved, saveAccess } from './save.ts';
import { type AccessState, accessState } from './state.ts';
import { boxesPage, confirmationPage, stalePage } from './view.ts';

const path = '/organisations/:organisation/people/:person';
const unchanged: Banner = { heading: 'You did not change anything', lines: ['No email was sent.'], kind: 'important' };

/** Manage user access: a tick box for each service the organisation has, and the last for Organisation Admin. */
export function registerAccess(scope: FastifyInstance, deps: AdminDeps): void {
  scope.get(path, async (request, reply) => {
    const person = personIn(request);
    if (person === null) return deps.problem(request, reply, 'not-found');
    const organisation = administered(request);
    const where = { organisation: organisation.id, person, actor: visitorOf(request).personId, now: deps.now() };
    const state = await accessState(deps.store.db, deps.catalogue, where);
    if (!state) return deps.problem(request, reply, 'not-found');
    const saved = fieldOf(request.query, 'saved');
    const banner = saved === 'none' ? unchanged : await savedBanner(deps, request, saved, person);
    return reply.page('admin-ui/access/manage-user-access', { ...boxesPage(organisation, state, null, []), banner });
  });

  scope.post(path, async (request, reply) => {
    const person = personIn(request);
    if (person === null) return deps.problem(request, reply, 'not-found');
    const asked = { organisation: administered(request), person, visitor: visitorOf(request), body: request.body };
    return answer(deps, request, reply, asked, await saveAccess(deps, asked));
  });
}

function answer(deps: AdminDeps, request: FastifyRequest, reply: FastifyReply, asked: Asked, saved: Saved): FastifyReply {
  const { organisation, person, visitor } = asked;
  const address = personAddress(organisation.id, person);
  switch (saved.outcome) {
    case 'not-found':
      return deps.problem(request, reply, 'not-found');
    case 'not-administrator':
      return refuseDismissed(request, reply);
    case 'faulty':
      return showFaults(reply, asked, saved, saved.form.errors);
    case 'last-administrator':
      return showFaults(reply, asked, saved, [{ field: 'administrator', text: `${lastAdministrator.why}. ${lastAdministrator.next}` }]);
    case 'stale':
      return reply.code(409).page('admin-ui/access/changed-meanwhile', stalePage(organisation, saved.state, saved.form));
    case 'confirm': {
      const page = confirmationPage(organisation, saved.state, saved.form, saved.difference, person === visitor.personId);
      return reply.page('admin-ui/access/confirm-administrator', page);
    }
    case 'unchanged':
      return reply.redirect(`${address}?saved=${saved.activity ?? 'none'}`, 303);
    case 'saved':
      deps.deliverSoon();
      // Whoever has just stopped being an administrator has no page left here to come back to.
      return reply.redirect(saved.lostOwnAdministration ? '/' : `${address}?saved=${saved.activity}`, 303);
  }
}

type Faulty = { state: AccessState; form: AccessForm };

function showFaults(reply: FastifyReply, { organisation }: Asked, { state, form }: Faulty, errors: FieldError[]): FastifyReply {
  return reply.code(422).page('admin-ui/access/manage-user-access', boxesPage(organisation, state, form, errors));
}
