import type { Selectable } from 'kysely';
import type { Change } from './database.ts';
import { insertRows } from './many.ts';
import { endRulesOf } from './rules.ts';
import type { Reader, Tables } from './tables.ts';

export type MembershipRow = Selectable<Tables['memberships']>;
export type OrganisationOf = { id: number; code: string; name: string };

/** The open organisations a person belongs to, by name. */
export function organisationsOf(db: Reader, person: number): Promise<OrganisationOf[]> {
  return db
    .selectFrom('memberships')
    .innerJoin('organisations', 'organisations.id', 'memberships.organisation_id')
    .select(['organisations.id', 'organisations.code', 'organisations.name'])
    .where('memberships.person_id', '=', person)
    .where('memberships.removed_at', 'is', null)
    .where('organisations.closed_at', 'is', null)
    .orderBy('organisations.name_search')
    .orderBy('organisations.id')
    .execute();
}

/** The membership of a person in an organisation, live or removed. */
export function membership(db: Reader, organisation: number, person: number): Promise<MembershipRow | undefined> {
  return db
    .selectFrom('memberships')
    .selectAll()
    .where('organisation_id', '=', organisation)
    .where('person_id', '=', person)
    .executeTakeFirst();
}

/** The live membership of a person in an organisation, or undefined. */
export async function member(db: Reader, organisation: number, person: number): Promise<MembershipRow | undefined> {
  const row = await membership(db, organisation, person);
  return row?.removed_at === null ? row : undefined;
}

export type NewMembership = { organisation: number; person: number; jobRole?: string | null; now: number };

const membershipRow = ({ organisation, person, jobRole = null, now }: NewMembership) => ({
  organisation_id: organisation,
  person_id: person,
  job_role: jobRole,
  joined_at: now,
});

/** Makes a person a member, or a removed one a member again (without any access). Says which; 'already' changes nothing. */
export async function addMembership(tx: Change, added: NewMembership): Promise<'added' | 'restored' | 'already'> {
  const { organisation, person, now } = added;
  const before = await membership(tx, organisation, person);
  if (before?.removed_at === null) return 'already';
  if (!before) {
    await addMemberships(tx, [added]);
    return 'added';
  }
  await tx
    .updateTable('memberships')
    .set({ removed_at: null, removed_by: null, removed_reason: null, joined_at: now, version: before.version + 1 })
    .where('organisation_id', '=', organisation)
    .where('person_id', '=', person)
    .execute();
  return 'restored';
}

/** Makes people members who never belonged there. */
export async function addMemberships(tx: Change, added: readonly NewMembership[]): Promise<void> {
  await insertRows(tx, 'memberships', added.map(membershipRow));
}

export type Removal = { organisation: number; person: number; by: number | null; reason: string; now: number };

/** Removes a person from an organisation and revokes every right they had in it, so that adding them back gives none. */
export async function removeMembership(tx: Change, { organisation, person, by, reason, now }: Removal): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('memberships')
    .set(row => ({ removed_at: now, removed_by: by, removed_reason: reason, version: row('version', '+', 1) }))
    .where('organisation_id', '=', organisation)
    .where('person_id', '=', person)
    .where('removed_at', 'is', null)
    .executeTakeFirst();
  if (numUpdatedRows === 0n) return false;
  await endRulesOf(tx, { organisation, person, by, now });
  return true;
}

/**
 * Moves the version of somebody's access on, if it still is the one the form was drawn with. Returns whether it was:
 * a stale form must not be saved.
 */
export async function moveVersion(tx: Change, organisation: number, person: number, shown: number): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('memberships')
    .set({ version: shown + 1 })
    .where('organisation_id', '=', organisation)
    .where('person_id', '=', person)
    .where('version', '=', shown)
    .where('removed_at', 'is', null)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** What the person does there, in words; nothing is decided by it. */
export async function setJobRole(tx: Change, organisation: number, person: number, jobRole: string | null): Promise<void> {
  await tx
    .updateTable('memberships')
    .set({ job_role: jobRole })
    .where('organisation_id', '=', organisation)
    .where('person_id', '=', person)
    .execute();
}
