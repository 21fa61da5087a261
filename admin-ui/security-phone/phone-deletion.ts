import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { tell } from '#notify/tell.ts';
import { append } from '#store/activity.ts';
import { fullName } from '#store/names.ts';
import { administratorNames } from '#store/rights.ts';
import { forgetSecurityPhone } from '#store/security-phone.ts';
import type { OrganisationRow, PersonRow } from '#store/tables.ts';
import { type Visitor, visitorOf } from '#views/visitor.ts';
import { hubAddress, peopleAddress, personIn, phoneDeletionAddress } from '../addresses.ts';
import type { AdminDeps } from '../deps.ts';
import { administered, refuseDismissed } from '../guards.ts';
import { askWithin } from '../standing.ts';
import { authorOf, entryOf, memberOf } from '../subject.ts';
import { endingOf } from './phone-number.ts';

const path = '/organisations/:organisation/people/:person/security-phone/delete';

/** Delete OTP number: a page that asks, and then the person sets up a phone anew. Also for one's own number. */
export function registerPhoneDeletion(scope: FastifyInstance, deps: AdminDeps): void {
  scope.get(path, async (request, reply) => {
    const person = await memberOf(deps.store.db, administered(request).id, personIn(request));
    if (!person) return deps.problem(request, reply, 'not-found');
    return show(request, reply, person);
  });

  scope.post(path, async (request, reply) => {
    const organisation = administered(request);
    const result = await deletePhone(deps, visitorOf(request), organisation, personIn(request));
    if (result === 'not-found') return deps.problem(request, reply, 'not-found');
    if (result === 'not-administrator') return refuseDismissed(request, reply);
    if (result.activity === null) return show(request, reply, result.person);
    deps.deliverSoon();
    return reply.redirect(`${peopleAddress(organisation.id)}?saved=${result.activity}`, 303);
  });
}

function show(request: FastifyRequest, reply: FastifyReply, person: PersonRow): FastifyReply {
  const organisation = administered(request);
  const name = fullName(person);
  const self = person.id === visitorOf(request).personId;
  const exists = person.security_phone !== null;
  const title = exists ? `Delete ${self ? 'your own' : `${name}’s`} OTP number?` : `${name} does not have an OTP number`;
  return reply.page('admin-ui/security-phone/delete-phone', {
    title,
    crumbs: [
      { text: 'Organisation administration hub', href: hubAddress(organisation.id) },
      { text: 'Manage users', href: peopleAddress(organisation.id) },
      { text: 'Delete OTP number' },
    ],
    organisation: organisation.name,
    person: name,
    self,
    exists,
    told: person.email !== null,
    address: phoneDeletionAddress(organisation.id, person.id),
    back: peopleAddress(organisation.id),
  });
}

type Deleted = 'not-found' | 'not-administrator' | { person: PersonRow; activity: number | null };

/** Forgets the number, ends the codes under way and asks every session of the person for a code again. */
function deletePhone(deps: AdminDeps, visitor: Visitor, organisation: OrganisationRow, id: number | null): Promise<Deleted> {
  return deps.store.change(async tx => {
    const now = deps.now();
    const may = await askWithin(tx, organisation.id, visitor.personId, now);
    if (!may('organisation-admin', 'use')) return 'not-administrator';
    const person = await memberOf(tx, organisation.id, id);
    if (!person) return 'not-found';
    if (person.security_phone === null) return { person, activity: null };
    await forgetSecurityPhone(tx, person.id, now);
    const activity = await append(tx, { ...entryOf(visitor, organisation, person, now), kind: 'security-phone-deleted' });
    const data = {
      organisation: organisation.name,
      by: authorOf(visitor, organisation),
      at: now,
      phoneEnding: endingOf(person.security_phone),
      administrators: await administratorNames(tx, organisation.id, now),
    };
    await tell(tx, person, 'security-phone-deleted', data, { activity, now });
    return { person, activity };
  });
}
