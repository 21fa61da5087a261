import { tell } from '#notify/tell.ts';
import { append } from '#store/activity.ts';
import type { Change } from '#store/database.ts';
import { cancelLinks } from '#store/links.ts';
import { removeMembership } from '#store/memberships.ts';
import { administratorNames, grantsOf } from '#store/rights.ts';
import { forgetSecurityPhone } from '#store/security-phone.ts';
import { endSessions } from '#store/sessions.ts';
import type { OrganisationRow, PersonRow } from '#store/tables.ts';
import type { Visitor } from '#views/visitor.ts';
import type { AdminDeps } from '../deps.ts';
import { askWithin, isLastAdministrator } from '../standing.ts';
import { authorOf, entryOf, memberOf } from '../subject.ts';

export type RemovalAsked = { visitor: Visitor; organisation: OrganisationRow; person: number | null; reason: string | null };
export type RemovalResult =
  | { outcome: 'not-found' | 'not-administrator' | 'self' | 'last-administrator' }
  | { outcome: 'no-reason'; person: PersonRow }
  | { outcome: 'removed'; activity: number };

/** Removes a person from an organisation in one transaction, or says why not. */
export function removePerson(deps: AdminDeps, { visitor, organisation, person: id, reason }: RemovalAsked): Promise<RemovalResult> {
  return deps.store.change(async tx => {
    const now = deps.now();
    const may = await askWithin(tx, organisation.id, visitor.personId, now);
    if (!may('organisation-admin', 'use')) return { outcome: 'not-administrator' };
    const person = await memberOf(tx, organisation.id, id);
    if (!person) return { outcome: 'not-found' };
    if (person.id === visitor.personId) return { outcome: 'self' };
    if (await isLastAdministrator(tx, organisation.id, person.id, now)) return { outcome: 'last-administrator' };
    if (reason === null) return { outcome: 'no-reason', person };
    return { outcome: 'removed', activity: await remove(tx, { visitor, organisation, person, reason, now }) };
  });
}

type Removing = { visitor: Visitor; organisation: OrganisationRow; person: PersonRow; reason: string; now: number };

async function remove(tx: Change, { visitor, organisation, person, reason, now }: Removing): Promise<number> {
  const by = visitor.personId;
  const services = (await grantsOf(tx, organisation.id, person.id, now)).map(({ service }) => service);
  await removeMembership(tx, { organisation: organisation.id, person: person.id, by, reason, now });
  const entry = { ...entryOf(visitor, organisation, person, now), kind: 'membership-removed' as const };
  const activity = await append(tx, { ...entry, data: { reason, services } });
  await endSessions(tx, { person: person.id }, { reason: 'removed-from-organisation', by, now });
  if (!(await belongsSomewhere(tx, person.id))) {
    // Nobody needs these any more: the number may not be kept, and an invitation would open an account without a purpose.
    await forgetSecurityPhone(tx, person.id, now);
    await cancelLinks(tx, { people: [person.id], now });
  }
  const administrators = await administratorNames(tx, organisation.id, now);
  const data = { organisation: organisation.name, by: authorOf(visitor, organisation), at: now, administrators };
  await tell(tx, person, 'removed-from-organisation', data, { activity, now });
  return activity;
}

async function belongsSomewhere(tx: Change, person: number): Promise<boolean> {
  const row = await tx
    .selectFrom('memberships')
    .select('organisation_id')
    .where('person_id', '=', person)
    .where('removed_at', 'is', null)
    .executeTakeFirst();
  return row !== undefined;
}
