import { member } from '#store/memberships.ts';
import { fullName } from '#store/names.ts';
import { person as personById } from '#store/people.ts';
import type { OrganisationRow, PersonRow, Reader } from '#store/tables.ts';
import type { Visitor } from '#views/visitor.ts';

/** The person of an address, if they belong to the organisation of that address: ids of other organisations' people are nobody's. */
export async function memberOf(db: Reader, organisation: number, person: number | null): Promise<PersonRow | null> {
  if (person === null || !(await member(db, organisation, person))) return null;
  return (await personById(db, person)) ?? null;
}

/** Who changes what, and whom it concerns, as the activity keeps it: ids for ever, names until they are erased. */
export function entryOf(visitor: Visitor, organisation: OrganisationRow, person: PersonRow, at: number) {
  const text = { actor: visitor.name, person: fullName(person), organisation: organisation.name };
  return { at, actor: visitor.personId, organisation: organisation.id, person: person.id, session: visitor.sessionId, text };
}

/** How letters name whoever made the change. */
export function authorOf(visitor: Visitor, organisation: OrganisationRow) {
  return { name: visitor.name, organisation: organisation.name };
}
