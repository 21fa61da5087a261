import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { fullName } from '#store/names.ts';
import { grantsByPerson } from '#store/rights.ts';
import type { PersonRow } from '#store/tables.ts';
import { type FieldError, fieldOf } from '#views/forms.ts';
import { visitorOf } from '#views/visitor.ts';
import { hubAddress, peopleAddress, personIn, removalAddress } from '../addresses.ts';
import type { AdminDeps } from '../deps.ts';
import { administered, refuseDismissed } from '../guards.ts';
import { isLastAdministrator, lastAdministrator } from '../standing.ts';
import { memberOf } from '../subject.ts';
import { removePerson } from './remove-person.ts';

const path = '/organisations/:organisation/people/:person/remove';

const removalReasons = [
  { value: 'left', text: 'Left' },
  { value: 'role-changed', text: 'Role changed' },
  { value: 'added-by-mistake', text: 'Added by mistake' },
  { value: 'other', text: 'Other' },
] as const;

const obstacles = {
  self: { why: 'You cannot remove yourself', next: 'Ask another administrator' },
  'last-administrator': lastAdministrator,
};

/** Delete user: removes a person from the organisation, and with that everything they could open in it. */
export function registerRemoval(scope: FastifyInstance, deps: AdminDeps): void {
  scope.get(path, async (request, reply) => {
    const organisation = administered(request);
    const person = await memberOf(deps.store.db, organisation.id, personIn(request));
    if (!person) return deps.problem(request, reply, 'not-found');
    if (person.id === visitorOf(request).personId) return showObstacle(request, reply, 'self');
    if (await isLastAdministrator(deps.store.db, organisation.id, person.id, deps.now()))
      return showObstacle(request, reply, 'last-administrator');
    return show(deps, request, reply, person, []);
  });

  scope.post(path, async (request, reply) => {
    const organisation = administered(request);
    const reason = removalReasons.find(({ value }) => value === fieldOf(request.body, 'reason'))?.value ?? null;
    const result = await removePerson(deps, { visitor: visitorOf(request), organisation, person: personIn(request), reason });
    switch (result.outcome) {
      case 'not-found':
        return deps.problem(request, reply, 'not-found');
      case 'not-administrator':
        return refuseDismissed(request, reply);
      case 'self':
      case 'last-administrator':
        return showObstacle(request, reply, result.outcome);
      case 'no-reason':
        return show(deps, request, reply.code(422), result.person, [{ field: 'reason', text: 'Select a reason for removing this person' }]);
      case 'removed':
        deps.deliverSoon();
        return reply.redirect(`${peopleAddress(organisation.id)}?saved=${result.activity}`, 303);
    }
  });
}

function showObstacle(request: FastifyRequest, reply: FastifyReply, obstacle: keyof typeof obstacles): FastifyReply {
  const { why: title, next } = obstacles[obstacle];
  const organisation = administered(request);
  return reply.code(403).page('admin-ui/removal/not-possible', { ...frameOf(request), title, next, back: peopleAddress(organisation.id) });
}

async function show(
  deps: AdminDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  person: PersonRow,
  errors: FieldError[],
): Promise<FastifyReply> {
  const organisation = administered(request);
  const rights = (await grantsByPerson(deps.store.db, organisation.id, deps.now())).get(person.id);
  const services = deps.catalogue.services.filter(({ id }) => rights?.services.includes(id)).map(({ shortName }) => shortName);
  return reply.page('admin-ui/removal/remove', {
    ...frameOf(request),
    title: `Remove ${fullName(person)} from ${organisation.name}?`,
    errors,
    person: fullName(person),
    goes: [...services.sort((a, b) => a.localeCompare(b, 'en-GB')), ...(rights?.administrator ? ['Organisation Admin'] : [])],
    told: person.email !== null,
    reasons: removalReasons,
    address: removalAddress(organisation.id, person.id),
    back: peopleAddress(organisation.id),
  });
}

function frameOf(request: FastifyRequest) {
  const organisation = administered(request);
  return {
    organisation: organisation.name,
    crumbs: [
      { text: 'Organisation administration hub', href: hubAddress(organisation.id) },
      { text: 'Manage users', href: peopleAddress(organisation.id) },
      { text: 'Delete user' },
    ],
  };
}
