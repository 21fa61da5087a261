import { type ImportRow, subjectOf } from './import-rows.ts';
import { isAmong } from './many.ts';
import { subjectKey } from './names.ts';
import { administratorRole, personOf, personSubject } from './rule-rows.ts';
import { type PersonRow, type Provider, providers, type Reader } from './tables.ts';

export type KnownMembership = { jobRole: string | null; removed: 'no' | 'by-somebody' | 'by-itself' };
export type KnownPerson = {
  row: PersonRow;
  subjects: Map<Provider, { subject: string; hasPassword: boolean }>;
  memberships: Map<number, KnownMembership>;
  /** By domain: whether the person administers it, or did until somebody ended it. */
  administers: Map<string, 'now' | 'dismissed'>;
};
export type KnownOrganisation = { id: number; name: string; closed: boolean };
/** What the store has on the people and organisations some rows speak of. */
export type ImportState = {
  organisations: Map<string, KnownOrganisation>;
  people: Map<string, KnownPerson>;
  /** Who holds a user ID or address: person id by `holderKey`. */
  holders: Map<string, number>;
};

/** Who may hold a user ID or address once only, as a key. */
export const holderKey = (provider: Provider, subject: string): string => `${provider}:${subjectKey(subject)}`;

/** Reads it for 200 rows at most. */
export async function readImportState(db: Reader, rows: readonly ImportRow[], now: number): Promise<ImportState> {
  const codes = [...new Set(rows.map(row => row.organisation_code))];
  const found = await db
    .selectFrom('organisations')
    .selectAll()
    .where(isAmong(db, 'code', codes))
    .execute();
  const subjects = rows.map(row => subjectKey(subjectOf(row).subject));
  const identities = await db
    .selectFrom('identities')
    .select(['provider', 'subject', 'person_id'])
    // The index is by provider first.
    .where('provider', 'in', providers)
    .where(isAmong(db, 'subject_key', subjects))
    .execute();
  return {
    organisations: new Map(found.map(({ code, id, name, closed_at }) => [code, { id, name, closed: closed_at !== null }])),
    people: await readPeople(db, rows, now),
    holders: new Map(identities.map(row => [holderKey(row.provider, row.subject), row.person_id])),
  };
}

async function readPeople(db: Reader, rows: readonly ImportRow[], now: number): Promise<Map<string, KnownPerson>> {
  const sourceIds = rows.map(row => row.source_id);
  const people = await db
    .selectFrom('people')
    .selectAll()
    .where(isAmong(db, 'source_id', sourceIds))
    .execute();
  const found = people.map((row): KnownPerson => ({ row, subjects: new Map(), memberships: new Map(), administers: new Map() }));
  const known: Known = new Map(found.map(person => [person.row.id, person]));
  const ids = [...known.keys()];
  if (ids.length > 0) {
    await addSubjects(db, ids, known);
    await addMemberships(db, ids, known);
    await addRights(db, ids, known, now);
  }
  return new Map(found.map(person => [person.row.source_id ?? '', person]));
}

type Known = Map<number, KnownPerson>;

async function addSubjects(db: Reader, ids: number[], known: Known) {
  const rows = await db
    .selectFrom('identities')
    .selectAll()
    .where(isAmong(db, 'person_id', ids))
    .orderBy('id', 'desc')
    .execute();
  for (const { person_id, provider, subject, password_hash } of rows) {
    known.get(person_id)?.subjects.set(provider, { subject, hasPassword: password_hash !== null });
  }
}

async function addMemberships(db: Reader, ids: number[], known: Known) {
  const rows = await db
    .selectFrom('memberships')
    .selectAll()
    .where(isAmong(db, 'person_id', ids))
    .execute();
  for (const { person_id, organisation_id, job_role, removed_at, removed_by } of rows) {
    const how = removed_by === null ? 'by-itself' : 'by-somebody';
    known.get(person_id)?.memberships.set(organisation_id, { jobRole: job_role, removed: removed_at === null ? 'no' : how });
  }
}

async function addRights(db: Reader, ids: number[], known: Known, now: number) {
  const rows = await db
    .selectFrom('rules')
    .select(['v0', 'domain', 'ends_at', 'revoked_at', 'revoked_by'])
    .where(isAmong(db, 'v0', ids.map(personSubject)))
    .where('ptype', '=', 'g')
    .where('v1', '=', administratorRole)
    .orderBy('id')
    .execute();
  for (const { v0, domain, ends_at, revoked_at, revoked_by } of rows) {
    const administers = known.get(personOf(v0))?.administers;
    const live = revoked_at === null && (ends_at === null || ends_at > now);
    if (live) administers?.set(domain, 'now');
    else if (revoked_by !== null) administers?.set(domain, 'dismissed');
    else administers?.delete(domain);
  }
}
