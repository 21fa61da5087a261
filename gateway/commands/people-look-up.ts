import { fullName, subjectKey } from '#store/names.ts';
import { findByIdentity } from '#store/people.ts';
import type { OrganisationRow, PersonRow, Reader } from '#store/tables.ts';
import { CommandFault } from './command.ts';

/** The one person of a user ID or e-mail address, however it is written. Throws CommandFault for nobody and for several. */
export async function findPerson(db: Reader, name: string): Promise<PersonRow> {
  const signsIn = (await findByIdentity(db, 'directory', name)) ?? (await findByIdentity(db, 'local', name));
  if (signsIn) return signsIn;
  const [first, ...others] = await db.selectFrom('people').selectAll().where('email_key', '=', subjectKey(name)).limit(10).execute();
  if (!first) throw new CommandFault(`Nobody has the user ID or email address ${name}.`);
  if (others.length === 0) return first;
  // Some schools give one mailbox to several people.
  const people = [first, ...others].map(fullName).join(', ');
  throw new CommandFault(`${name} is the email address of several people (${people}): give a user ID.`);
}

export type Belonging = { organisation: OrganisationRow; removed: { at: number; reason: string | null; by: string | null } | null };

/** Every organisation a person belongs to or was removed from, by name. */
export async function belongingsOf(db: Reader, person: number): Promise<Belonging[]> {
  const rows = await db
    .selectFrom('memberships')
    .innerJoin('organisations', 'organisations.id', 'memberships.organisation_id')
    .leftJoin('people as remover', 'remover.id', 'memberships.removed_by')
    .selectAll('organisations')
    .select(['memberships.removed_at', 'memberships.removed_reason', 'remover.first_name', 'remover.last_name'])
    .where('memberships.person_id', '=', person)
    .orderBy('organisations.name_search')
    .execute();
  return rows.map(({ removed_at, removed_reason, first_name, last_name, ...organisation }) => {
    const by = first_name === null ? null : fullName({ first_name, last_name: last_name ?? '' });
    return { organisation, removed: removed_at === null ? null : { at: removed_at, reason: removed_reason, by } };
  });
}
