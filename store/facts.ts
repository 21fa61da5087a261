import { type RawBuilder, type Selectable, type SelectQueryBuilder, sql } from 'kysely';
import { jsonArrayFrom as postgresArray } from 'kysely/helpers/postgres';
import { jsonArrayFrom as sqliteArray } from 'kysely/helpers/sqlite';
import { isPostgres } from './database.ts';
import { councilDomain, personIn } from './rule-rows.ts';
import type { Reader, RuleDomain, Tables } from './tables.ts';

export type StoredRule = { id: number; ptype: 'p' | 'g'; v: readonly string[]; startsAt: number | null; endsAt: number | null };
/** `asOf` is the id of the last entry of the activity that they know of. */
export type StoredFacts = { open: boolean; people: Map<number, 'active' | 'inactive'>; rules: StoredRule[]; asOf: number };

export const ruleColumns = ['id', 'ptype', 'v0', 'v1', 'v2', 'v3', 'v4', 'starts_at', 'ends_at'] as const;
type RuleRow = Pick<Selectable<Tables['rules']>, (typeof ruleColumns)[number]>;
type MemberRow = { id: number; active: number };

export function asRule({ id, ptype, v0, v1, v2, v3, v4, starts_at: startsAt, ends_at: endsAt }: RuleRow): StoredRule {
  const v = [v0, v1, v2, v3, v4].filter(value => value !== null);
  return { id, ptype, v, startsAt, endsAt };
}

/**
 * All a decision in one domain rests on, as it was at one instant: a right must never be seen with a membership that is gone. One
 * statement does that without a transaction around it, and what a change made doubtful is read again before anybody is let in.
 */
export async function factsOf(db: Reader, domain: RuleDomain): Promise<StoredFacts> {
  const rules = db.selectFrom('rules').select(ruleColumns).where('domain', '=', domain).where('revoked_at', 'is', null).orderBy('id');
  const row = await db
    .selectNoFrom(({ selectFrom }) => [
      openness(domain).as('open'),
      listOf(db, membersOf(db, domain)).as('people'),
      listOf(db, rules).as('rules'),
      selectFrom('activity')
        .select(activity => activity.fn.max('id').as('id'))
        .as('as_of'),
    ])
    .executeTakeFirstOrThrow();
  const people = asList<MemberRow>(row.people).map(({ id, active }) => [id, active === 1 ? 'active' : 'inactive'] as const);
  return { open: row.open === 1, people: new Map(people), rules: asList<RuleRow>(row.rules).map(asRule), asOf: row.as_of ?? 0 };
}

/** Null when there is no such organisation. */
function openness(domain: RuleDomain): RawBuilder<number | null> {
  if (domain === councilDomain) return sql`1`;
  return sql`(select case when closed_at is null then 1 else 0 end from organisations where id = ${Number(domain.slice('o:'.length))})`;
}

function membersOf(db: Reader, domain: RuleDomain): SelectQueryBuilder<Tables, 'people', MemberRow> {
  const people = db.selectFrom('people').select(['people.id', 'people.active']);
  if (domain === councilDomain) {
    const operators = db
      .selectFrom('rules')
      .select(personIn('rules.v0').as('person'))
      .where('domain', '=', domain)
      .where('ptype', '=', 'g')
      .where('revoked_at', 'is', null);
    return people.where('people.id', 'in', operators);
  }
  const members = db
    .selectFrom('memberships')
    .select('person_id')
    .where('organisation_id', '=', Number(domain.slice('o:'.length)))
    .where('removed_at', 'is', null);
  return people.where('people.id', 'in', members);
}

const listOf = (db: Reader, rows: Parameters<typeof sqliteArray<object>>[0]): RawBuilder<unknown> =>
  isPostgres(db) ? postgresArray(rows) : sqliteArray(rows);

/** SQLite gives a list back as its text. */
const asList = <T>(list: unknown): T[] => (typeof list === 'string' ? JSON.parse(list) : list) as T[];
