import type { Change } from './database.ts';
import { insertRows } from './many.ts';
import { foldKey, foldName, fullName, subjectKey } from './names.ts';
import type { PersonRow, Provider, Reader } from './tables.ts';

export type NewPerson = {
  sourceId?: string | null;
  firstName: string;
  lastName: string;
  email?: string | null;
  phone?: string | null;
  now: number;
};

const nameColumns = (firstName: string, lastName: string) => ({
  first_name: firstName,
  last_name: lastName,
  name_search: foldName(`${firstName} ${lastName}`),
});
const emailColumns = (email: string | null) => ({
  email,
  email_key: email === null ? null : subjectKey(email),
  email_search: email === null ? null : foldKey(email),
});

const personRow = ({ sourceId, firstName, lastName, email, phone, now }: NewPerson) => ({
  source_id: sourceId ?? null,
  ...nameColumns(firstName, lastName),
  ...emailColumns(email ?? null),
  phone: phone ?? null,
  active: 1,
  created_at: now,
});

/** Adds an active person and returns the id. A source id held by somebody else is a unique violation. */
export async function addPerson(tx: Change, added: NewPerson): Promise<number> {
  const { id } = await tx.insertInto('people').values(personRow(added)).returning('id').executeTakeFirstOrThrow();
  return id;
}

/** Adds people who all have a source id, and returns their ids by it. */
export async function addPeople(tx: Change, added: readonly (NewPerson & { sourceId: string })[]): Promise<Map<string, number>> {
  const rows = await insertRows(tx, 'people', added.map(personRow), ['id', 'source_id']);
  return new Map(rows.map(({ id, source_id }) => [source_id ?? '', id]));
}

export type PersonDetails = { firstName: string; lastName: string; email: string | null; phone: string | null };

/** Replaces all of them; identities keep what the person signs in with. */
export async function changeDetails(tx: Change, id: number, { firstName, lastName, email, phone }: PersonDetails): Promise<void> {
  await tx
    .updateTable('people')
    .set({ ...nameColumns(firstName, lastName), ...emailColumns(email), phone })
    .where('id', '=', id)
    .execute();
}

/** The person with that id, active or not. */
export function person(db: Reader, id: number): Promise<PersonRow | undefined> {
  return db.selectFrom('people').selectAll().where('id', '=', id).executeTakeFirst();
}

/** The person who signs in with this user ID (or e-mail address) at this provider, however it is written. */
export function findByIdentity(db: Reader, provider: Provider, userId: string): Promise<PersonRow | undefined> {
  return db
    .selectFrom('people')
    .innerJoin('identities', 'identities.person_id', 'people.id')
    .selectAll('people')
    .where('identities.provider', '=', provider)
    .where('identities.subject_key', '=', subjectKey(userId))
    .executeTakeFirst();
}

/** Full names by id, for screens and the activity. Ask for 200 at most; unknown ids are left out. */
export async function personNames(db: Reader, ids: readonly number[]): Promise<Map<number, string>> {
  if (ids.length === 0) return new Map();
  const rows = await db
    .selectFrom('people')
    .select(['id', 'first_name', 'last_name'])
    .where('id', 'in', [...new Set(ids)])
    .execute();
  return new Map(rows.map(row => [row.id, fullName(row)]));
}

/** Keeps the number that security codes go to, or forgets it (null). */
export async function setSecurityPhone(tx: Change, id: number, phone: string | null, now: number): Promise<void> {
  await tx
    .updateTable('people')
    .set({ security_phone: phone, security_phone_set_at: phone === null ? null : now })
    .where('id', '=', id)
    .execute();
}

/** Remembers when a person signed in last. */
export async function setSignedIn(db: Reader, id: number, now: number): Promise<void> {
  await db.updateTable('people').set({ last_signed_in_at: now }).where('id', '=', id).execute();
}

/** Makes a person unable to sign in or use anything, everywhere. Returns whether they were active. */
export async function deactivatePerson(tx: Change, id: number): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('people')
    .set({ active: 0 })
    .where('id', '=', id)
    .where('active', '=', 1)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}
