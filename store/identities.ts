import type { Selectable } from 'kysely';
import type { Change } from './database.ts';
import { insertRows } from './many.ts';
import { foldKey, subjectKey } from './names.ts';
import type { IdentityKind, Provider, Reader, Tables } from './tables.ts';

export type IdentityRow = Selectable<Tables['identities']>;
export type NewIdentity = { person: number; kind: IdentityKind; subject: string; now: number };

/** Passwords of Education and council accounts are checked by the directory; only registered people have one here. */
const providerOf = (kind: IdentityKind): Provider => (kind === 'registered' ? 'local' : 'directory');

const subjectColumns = (subject: string) => ({
  subject: subject.trim(),
  subject_key: subjectKey(subject),
  subject_search: foldKey(subject),
});

const identityRow = ({ person, kind, subject, now }: NewIdentity) => ({
  person_id: person,
  kind,
  provider: providerOf(kind),
  ...subjectColumns(subject),
  created_at: now,
});

/** Gives a person a way to sign in. The same user ID held by anybody at that provider is a unique violation. */
export async function addIdentity(tx: Change, added: NewIdentity): Promise<number> {
  const { id } = await tx.insertInto('identities').values(identityRow(added)).returning('id').executeTakeFirstOrThrow();
  return id;
}

/** The same for many people at once. */
export async function addIdentities(tx: Change, added: readonly NewIdentity[]): Promise<void> {
  await insertRows(tx, 'identities', added.map(identityRow));
}

/** The identity with that user ID or address, however it is written. */
export function findIdentity(db: Reader, provider: Provider, subject: string): Promise<IdentityRow | undefined> {
  return db
    .selectFrom('identities')
    .selectAll()
    .where('provider', '=', provider)
    .where('subject_key', '=', subjectKey(subject))
    .executeTakeFirst();
}

/** Every way a person signs in, the oldest first. */
export function identitiesOf(db: Reader, person: number): Promise<IdentityRow[]> {
  return db.selectFrom('identities').selectAll().where('person_id', '=', person).orderBy('id').execute();
}

/** Gives a person another user ID or sign-in address; it must be free. */
export async function changeSubject(tx: Change, person: number, provider: Provider, subject: string): Promise<void> {
  await tx
    .updateTable('identities')
    .set(subjectColumns(subject))
    .where('person_id', '=', person)
    .where('provider', '=', provider)
    .execute();
}

/** Sets the (already hashed) password of a registered identity. Returns whether the person has one. */
export async function setPassword(tx: Change, person: number, passwordHash: string, now: number): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('identities')
    .set({ password_hash: passwordHash, password_set_at: now })
    .where('person_id', '=', person)
    .where('provider', '=', 'local')
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}
