import { type RawBuilder, sql } from 'kysely';
import { foldKey, foldName } from './names.ts';
import type { OrganisationRow, PersonRow, Reader } from './tables.ts';

export type FoundPerson = Pick<PersonRow, 'id' | 'first_name' | 'last_name' | 'email' | 'active'> & {
  organisations: Pick<OrganisationRow, 'code' | 'name'>[];
};

/**
 * The people of all organisations who match, by name, `limit` at most, and how many there are. Count and rows come from one pass over
 * the indexes of the search: twice 120,000 entries would take twice as long.
 */
export async function searchPeople(db: Reader, search: string, limit: number): Promise<{ people: FoundPerson[]; total: number }> {
  const rows = await db
    .with(
      cte => cte('found').materialized(),
      query => query.selectFrom('people').select(['people.id', 'people.name_search']).where(matches(search, 'everybody')),
    )
    .with('first', query => query.selectFrom('found').selectAll().orderBy('name_search').orderBy('id').limit(limit))
    .selectFrom('first')
    .innerJoin('people', 'people.id', 'first.id')
    .select(['people.id', 'first_name', 'last_name', 'email', 'active'])
    .select(({ selectFrom, fn }) => selectFrom('found').select(fn.countAll<number | string>().as('number')).as('total'))
    .orderBy('first.name_search')
    .orderBy('first.id')
    .execute();
  const organisations = await organisationsOfAll(
    db,
    rows.map(({ id }) => id),
  );
  const people = rows.map(({ total: _, ...person }) => ({ ...person, organisations: organisations.get(person.id) ?? [] }));
  return { people, total: Number(rows[0]?.total ?? 0) };
}

async function organisationsOfAll(db: Reader, people: readonly number[]): Promise<Map<number, FoundPerson['organisations']>> {
  if (people.length === 0) return new Map();
  const rows = await db
    .selectFrom('memberships')
    .innerJoin('organisations', 'organisations.id', 'memberships.organisation_id')
    .select(['memberships.person_id', 'organisations.code', 'organisations.name'])
    .where('memberships.person_id', 'in', people)
    .where('memberships.removed_at', 'is', null)
    .orderBy('organisations.name_search')
    .orderBy('organisations.id')
    .execute();
  const found = new Map<number, FoundPerson['organisations']>();
  for (const { person_id, ...organisation } of rows) found.set(person_id, [...(found.get(person_id) ?? []), organisation]);
  return found;
}

/**
 * The condition on `people` that name, user ID or e-mail address holds what was searched for; case, accents and apostrophes do not
 * matter, and an empty search holds for everybody. Among few people the user IDs of each are looked up, among everybody all of them
 * are read.
 */
export function matches(search: string, among: 'few' | 'everybody'): RawBuilder<boolean> {
  const words = foldName(search).split(' ').filter(Boolean);
  if (words.length === 0) return sql`1 = 1`;
  const named = sql.join(
    words.map(word => holds(sql.ref('people.name_search'), word)),
    sql` and `,
  );
  const typed = foldKey(search);
  const byEmail = holds(sql.ref('people.email_search'), typed);
  const userId = holds(sql.ref('identities.subject_search'), typed);
  const byUserId =
    among === 'few'
      ? sql`exists (select 1 from identities where identities.person_id = people.id and ${userId})`
      : sql`people.id in (select identities.person_id from identities where ${userId})`;
  return sql`((${named}) or ${byEmail} or ${byUserId})`;
}

// % and _ are letters to whoever types them.
function holds(column: RawBuilder<unknown>, text: string): RawBuilder<boolean> {
  return sql`${column} like ${`%${text.replace(/[\\%_]/g, sign => `\\${sign}`)}%`} escape ${sql.lit('\\')}`;
}
