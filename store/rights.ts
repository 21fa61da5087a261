import { sql } from 'kysely';
import { fullName } from './names.ts';
import { administratorRole, councilDomain, councilRole, organisationDomain, personIn, personOf, personSubject } from './rule-rows.ts';
import type { PersonRow, Reader } from './tables.ts';

// Questions screens ask about rules. Whether somebody may do something is not asked here but of the policies.

const rolePrefix = 'r:';

function rulesNow(db: Reader, organisation: number, ptype: 'p' | 'g', now: number) {
  return db
    .selectFrom('rules')
    .where('rules.domain', '=', organisationDomain(organisation))
    .where('rules.ptype', '=', ptype)
    .where('rules.revoked_at', 'is', null)
    .where(where => where.or([where('rules.starts_at', 'is', null), where('rules.starts_at', '<=', now)]))
    .where(where => where.or([where('rules.ends_at', 'is', null), where('rules.ends_at', '>', now)]));
}

/** The organisation's administrators, by name: those with the right now, who still belong to it and can sign in. */
export async function administratorsOf(db: Reader, organisation: number, now: number): Promise<PersonRow[]> {
  const appointed = rulesNow(db, organisation, 'g', now).select(personIn('v0').as('person')).where('v1', '=', administratorRole);
  return db
    .selectFrom('people')
    .innerJoin('memberships', 'memberships.person_id', 'people.id')
    .selectAll('people')
    .where('people.id', 'in', appointed)
    .where('people.active', '=', 1)
    .where('memberships.organisation_id', '=', organisation)
    .where('memberships.removed_at', 'is', null)
    .orderBy('people.name_search')
    .orderBy('people.id')
    .execute();
}

const serviceOf = (role: string): string => role.slice(rolePrefix.length);

/** The ids of the services the organisation may have now, in alphabetical order. */
export async function servicesOf(db: Reader, organisation: number, now: number): Promise<string[]> {
  const rows = await rulesNow(db, organisation, 'p', now)
    .select('v0')
    .where('v0', 'like', `${rolePrefix}%`)
    .where('v0', '!=', administratorRole)
    .where('v3', '=', 'use')
    .where('v4', '=', 'allow')
    .execute();
  return rows.map(row => serviceOf(row.v0)).sort();
}

/** The same people by name alone: whom to ask. */
export async function administratorNames(db: Reader, organisation: number, now: number): Promise<string[]> {
  return (await administratorsOf(db, organisation, now)).map(fullName);
}

/** The council's operators, by name, deactivated ones too. */
export async function councilOperators(db: Reader): Promise<PersonRow[]> {
  const rows = await db
    .selectFrom('rules')
    .select('v0')
    .where('domain', '=', councilDomain)
    .where('ptype', '=', 'g')
    .where('v1', '=', councilRole)
    .where('revoked_at', 'is', null)
    .execute();
  const ids = rows.map(row => personOf(row.v0));
  return ids.length === 0 ? [] : db.selectFrom('people').selectAll().where('id', 'in', ids).orderBy('name_search').execute();
}

export type ServiceInUse = { service: string; organisations: number; people: number };

/** The rules that are neither revoked nor over, those that have not begun too; the council's own are about no service. */
const rulesToCome = (db: Reader, now: number) =>
  db
    .selectFrom('rules')
    .where('domain', '!=', councilDomain)
    .where('revoked_at', 'is', null)
    .where(where => where.or([where('ends_at', 'is', null), where('ends_at', '>', now)]));

/** What stands behind the two characters of r: or s:. */
const serviceIn = (column: 'v0' | 'v1' | 'v2') => sql<string>`substr(${sql.ref(column)}, 3)`.as('service');

/** Every service that an organisation has or will have, or that somebody has or is blocked from. */
export async function servicesInUse(db: Reader, now: number): Promise<ServiceInUse[]> {
  const rules = rulesToCome(db, now);
  const subscriptions = await rules
    .select([serviceIn('v0'), ({ fn }) => fn.count<number>('domain').distinct().as('times')])
    .where('ptype', '=', 'p')
    .where('v0', 'like', `${rolePrefix}%`)
    .where('v0', '!=', administratorRole)
    .groupBy('service')
    .execute();
  const given = rules
    .select([serviceIn('v1'), 'v0 as person'])
    .where('ptype', '=', 'g')
    .where('v1', '!=', administratorRole);
  const blocked = rules
    .select([serviceIn('v2'), 'v0 as person'])
    .where('ptype', '=', 'p')
    .where('v4', '=', 'deny');
  // A union has each person once for a service, in however many organisations.
  const people = await db
    .selectFrom(given.union(blocked).as('concerned'))
    .select(['service', ({ fn }) => fn.countAll<number>().as('times')])
    .groupBy('service')
    .execute();
  const services = new Map<string, ServiceInUse>();
  const entry = (service: string) => {
    const known = services.get(service) ?? { service, organisations: 0, people: 0 };
    services.set(service, known);
    return known;
  };
  for (const { service, times } of subscriptions) entry(service).organisations = Number(times);
  for (const { service, times } of people) entry(service).people = Number(times);
  return [...services.values()];
}

export type Grant = { id: number; service: string; endsAt: number | null; grantedAt: number; grantedBy: number | null };

/** What a person has been given in an organisation and has now; being its administrator is not among it. */
export async function grantsOf(db: Reader, organisation: number, person: number, now: number): Promise<Grant[]> {
  const rows = await rulesNow(db, organisation, 'g', now)
    .select(['id', 'v1', 'ends_at', 'granted_at', 'granted_by'])
    .where('v0', '=', personSubject(person))
    .where('v1', '!=', administratorRole)
    .orderBy('v1')
    .execute();
  return rows.map(row => ({
    id: row.id,
    service: serviceOf(row.v1),
    endsAt: row.ends_at,
    grantedAt: row.granted_at,
    grantedBy: row.granted_by,
  }));
}

export type RightsOfPerson = { services: string[]; administrator: boolean };

/** Who has what in an organisation now, by person, for the list of its people. */
export async function grantsByPerson(db: Reader, organisation: number, now: number): Promise<Map<number, RightsOfPerson>> {
  const rows = await rulesNow(db, organisation, 'g', now).select(['v0', 'v1']).orderBy('v1').execute();
  const people = new Map<number, RightsOfPerson>();
  for (const { v0, v1 } of rows) {
    const id = personOf(v0);
    const rights = people.get(id) ?? { services: [], administrator: false };
    if (v1 === administratorRole) rights.administrator = true;
    else rights.services.push(serviceOf(v1));
    people.set(id, rights);
  }
  return people;
}

export type Provenance = {
  id: number;
  grantedAt: number;
  grantedBy: string | null;
  reason: string | null;
  revokedAt: number | null;
  revokedBy: string | null;
};

/** Who made a rule and when, with names as they are today; null where the import or the command line did it. */
export async function provenance(db: Reader, rule: number): Promise<Provenance | undefined> {
  const row = await db.selectFrom('rules').selectAll().where('id', '=', rule).executeTakeFirst();
  if (!row) return undefined;
  const ids = [row.granted_by, row.revoked_by].filter(id => id !== null);
  const people =
    ids.length === 0 ? [] : await db.selectFrom('people').select(['id', 'first_name', 'last_name']).where('id', 'in', ids).execute();
  const names = new Map(people.map(person => [person.id, fullName(person)]));
  const name = (id: number | null) => (id === null ? null : (names.get(id) ?? null));
  return {
    id: rule,
    grantedAt: row.granted_at,
    grantedBy: name(row.granted_by),
    reason: row.reason,
    revokedAt: row.revoked_at,
    revokedBy: name(row.revoked_by),
  };
}
