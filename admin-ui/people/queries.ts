import { matches } from '#store/people-search.ts';
import type { Reader } from '#store/tables.ts';

export const pageSize = 25;

export type ListedPerson = {
  id: number;
  first_name: string;
  last_name: string;
  email: string | null;
  phone: string | null;
  security_phone: string | null;
  userIds: string[];
};
export type PeoplePage = { people: ListedPerson[]; total: number; page: number; pages: number };

/**
 * One page of an organisation's people, by name, whose name, user ID or e-mail address holds what was searched for; case, accents
 * and apostrophes do not matter. A page past the end gives the last one. Count and rows come from the same condition.
 */
export async function listPeople(db: Reader, organisation: number, search: string, asked: number): Promise<PeoplePage> {
  const found = db
    .selectFrom('memberships')
    .innerJoin('people', 'people.id', 'memberships.person_id')
    .where('memberships.organisation_id', '=', organisation)
    .where('memberships.removed_at', 'is', null)
    .where(matches(search, 'few'));
  const { total } = await found.select(count => count.fn.countAll<number | string>().as('total')).executeTakeFirstOrThrow();
  const pages = Math.max(1, Math.ceil(Number(total) / pageSize));
  const page = Math.min(asked, pages);
  const rows = await found
    .select(['people.id', 'first_name', 'last_name', 'email', 'phone', 'security_phone'])
    .orderBy('people.name_search')
    .orderBy('people.id')
    .limit(pageSize)
    .offset((page - 1) * pageSize)
    .execute();
  const userIds = await userIdsOf(
    db,
    rows.map(row => row.id),
  );
  return { people: rows.map(row => ({ ...row, userIds: userIds.get(row.id) ?? [] })), total: Number(total), page, pages };
}

/** What each person types to sign in. */
export async function userIdsOf(db: Reader, people: readonly number[]): Promise<Map<number, string[]>> {
  if (people.length === 0) return new Map();
  const rows = await db
    .selectFrom('identities')
    .select(['person_id', 'subject'])
    .where('person_id', 'in', [...people])
    .orderBy('id')
    .execute();
  const found = new Map<number, string[]>();
  for (const row of rows) found.set(row.person_id, [...(found.get(row.person_id) ?? []), row.subject]);
  return found;
}
