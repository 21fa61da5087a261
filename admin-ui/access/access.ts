import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { fieldOf } from '#views/forms.ts';
import type { Banner } from '#views/render.ts';
import { visitorOf } from '#views/visitor.ts';
import { personAddress, personIn } from '../addresses.ts';
import type { AdminDeps } from '../deps.ts';
import { administered, refuseDismissed } from '../guards.ts';
import { readNews } from '../news.ts';
import { lastAdministrator } from '../standing.ts';
import type { AccessForm } from './form.ts';
import { type Saved, saveAccess } from './save.ts';
import { type AccessState, accessState } from './state.ts';
import { boxesPage, confirmationPage, stalePage } from './view.ts';

const path = '/organisations/:organisation/people/:person';
const unchanged: Banner = { heading: 'You did not change anything', lines: ['No email was sent.'], kind: 'important' };

/** Manage user access: a tick box for each service the organisation has, and the last for Organisation Admin. */
export function registerAccess(scope: FastifyInstance, deps: AdminDeps): void {
  scope.get(path, async (request, reply) => {
    const person = personIn(request);
    const organisation = administered(request);
    const where = { organisation: organisation.id, person: person ?? 0, actor: visitorOf(request).personId, now: deps.now() };
    const state = person === null ? null : await accessState(deps.store.db, deps.catalogue, where);
    if (person === null || !state) return deps.problem(request, reply, 'not-found');
    const saved = fieldOf(request.query, 'saved');
    const banner = saved === 'none' ? unchanged : await readNews(deps, request, saved, person);
    return reply.page('admin-ui/access/manage-user-access', { ...boxesPage(organisation, state, null, []), banner });
  });

  scope.post(path, async (request, reply) => {
    const person = personIn(request);
    if (person === null) return deps.problem(request, reply, 'not-found');
    const asked = { organisation: administered(request), person, visitor: visitorOf(request), body: request.body };
    return answer(deps, request, reply, await saveAccess(deps, asked));
  });
}

function answer(deps: AdminDeps, request: FastifyRequest, reply: FastifyReply, saved: Saved): FastifyReply {
  const organisation = administered(request);
  const { personId } = visitorOf(request);
  switch (saved.outcome) {
    case 'not-found':
      return deps.problem(request, reply, 'not-found');
    case 'not-administrator':
      return refuseDismissed(request, reply);
    case 'faulty':
    case 'last-administrator':
      return showFaults(request, reply, saved.state, saved.form, saved.outcome);
    case 'stale':
      return reply.code(409).page('admin-ui/access/changed-meanwhile', stalePage(organisation, saved.state, saved.form));
    case 'confirm': {
      const page = confirmationPage(organisation, saved.state, saved.form, saved.difference, saved.state.person.id === personId);
      return reply.page('admin-ui/access/confirm-administrator', page);
    }
    case 'unchanged':
      return reply.redirect(`${pageOf(request)}?saved=${saved.activity ?? 'none'}`, 303);
    case 'saved':
      deps.deliverSoon();
      // Whoever has just stopped being an administrator has no page left here to come back to.
      return reply.redirect(saved.lostOwnAdministration ? '/' : `${pageOf(request)}?saved=${saved.activity}`, 303);
  }
}

const pageOf = (request: FastifyRequest): string => personAddress(administered(request).id, personIn(request) ?? 0);

function showFaults(
  request: FastifyRequest,
  reply: FastifyReply,
  state: AccessState,
  form: AccessForm,
  why: 'faulty' | 'last-administrator',
) {
  const errors = why === 'faulty' ? form.errors : [{ field: 'administrator', text: `${lastAdministrator.why}. ${lastAdministrator.next}` }];
  return reply.code(422).page('admin-ui/access/manage-user-access', boxesPage(administered(request), state, form, errors));
}
