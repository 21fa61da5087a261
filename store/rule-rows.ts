import { type RawBuilder, sql } from 'kysely';
import type { Change } from './database.ts';
import { insertRows } from './many.ts';
import type { Reader, RuleDomain } from './tables.ts';

export const administratorRole = 'r:organisation-admin';
export const councilRole = 'r:council-operator';
export const councilDomain = 'o:council';

/** One Casbin rule: its values in order, without the empty ones at the end. */
export type RuleValues = { domain: RuleDomain; ptype: 'p' | 'g'; v: readonly string[] };
export type NewRule = RuleValues & {
  startsAt?: number | null;
  endsAt?: number | null;
  by: number | null;
  reason?: string | null;
  now: number;
};

function whole(id: number): number {
  if (!Number.isSafeInteger(id) || id <= 0) throw new TypeError('An id is a whole number above zero.');
  return id;
}

// Everything else in a rule is ours; a service id is the one word that comes from outside, and a colon or comma in it could pose as another.
function word(id: string): string {
  if (!/^[a-z0-9][a-z0-9-]*$/.test(id)) throw new TypeError('A service id is lower-case letters, digits and hyphens.');
  return id;
}

export const personSubject = (person: number): string => `u:${whole(person)}`;
/** The person a rule speaks of: 42 for u:42. */
export const personOf = (subject: string): number => Number(subject.slice('u:'.length));
/** The same inside a statement, of a column of subjects. */
export const personIn = (column: string): RawBuilder<number> => sql`cast(substr(${sql.ref(column)}, 3) as bigint)`;
export const organisationDomain = (organisation: number): `o:${number}` => `o:${whole(organisation)}`;
export const serviceObject = (service: string): string => `s:${word(service)}`;
export const serviceRole = (service: string): string => `r:${word(service)}`;

function ruleRow({ domain, ptype, v, startsAt, endsAt, by, reason, now }: NewRule) {
  const [v0, v1, v2, v3, v4] = v;
  if (v0 === undefined || v1 === undefined || v2 === undefined) throw new TypeError('A rule has three values at least.');
  return {
    domain,
    ptype,
    v0,
    v1,
    v2,
    v3: v3 ?? null,
    v4: v4 ?? null,
    starts_at: startsAt ?? null,
    ends_at: endsAt ?? null,
    granted_at: now,
    granted_by: by,
    reason: reason ?? null,
  };
}

/** Writes rules as they stand, whatever there is already. */
export async function addRules(tx: Change, rules: readonly NewRule[]): Promise<void> {
  await insertRows(tx, 'rules', rules.map(ruleRow));
}

/** The rules with exactly these values that are neither revoked nor over. */
export function liveRules(db: Reader, { domain, ptype, v }: RuleValues, now: number): Promise<{ id: number; ends_at: number | null }[]> {
  let query = db
    .selectFrom('rules')
    .select(['id', 'ends_at'])
    .where('domain', '=', domain)
    .where('ptype', '=', ptype)
    .where('revoked_at', 'is', null)
    .where(where => where.or([where('ends_at', 'is', null), where('ends_at', '>', now)]));
  for (const [index, column] of (['v0', 'v1', 'v2', 'v3', 'v4'] as const).entries()) {
    const value = v[index];
    query = value === undefined ? query.where(column, 'is', null) : query.where(column, '=', value);
  }
  return query.execute();
}

/** Revokes rules by id; the rows stay, so that what was valid when can always be told. Returns how many were live. */
async function revokeRules(tx: Change, ids: readonly number[], by: number | null, now: number): Promise<number> {
  if (ids.length === 0) return 0;
  const { numUpdatedRows } = await tx
    .updateTable('rules')
    .set({ revoked_at: now, revoked_by: by })
    .where('id', 'in', [...ids])
    .where('revoked_at', 'is', null)
    .executeTakeFirst();
  return Number(numUpdatedRows);
}

/** Makes exactly one live rule with these values and this end. Returns whether anything changed. */
export async function ensureRule(tx: Change, rule: NewRule): Promise<boolean> {
  const live = await liveRules(tx, rule, rule.now);
  const endsAt = rule.endsAt ?? null;
  if (live.length === 1 && live[0]?.ends_at === endsAt) return false;
  await revokeRules(
    tx,
    live.map(row => row.id),
    rule.by,
    rule.now,
  );
  await addRules(tx, [rule]);
  return true;
}

/** Revokes the live rules with these values. Returns whether there were any. */
export async function endRule(tx: Change, rule: RuleValues & { by: number | null; now: number }): Promise<boolean> {
  const live = await liveRules(tx, rule, rule.now);
  return (
    (await revokeRules(
      tx,
      live.map(row => row.id),
      rule.by,
      rule.now,
    )) > 0
  );
}
