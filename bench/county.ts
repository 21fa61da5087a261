import type { Insertable } from 'kysely';
import type { Store } from '#store/database.ts';
import type { ImportRow } from '#store/import-rows.ts';
import { administratorRole, organisationDomain, personSubject, serviceObject, serviceRole } from '#store/rule-rows.ts';
import type { Tables } from '#store/tables.ts';

/** How large a county is; a hundredth of it does for a test. */
export type CountySize = { organisations: number; people: number; grants: number; services: number };
export const fullSize: CountySize = { organisations: 2_000, people: 120_000, grants: 500_000, services: 50 };

/** Always the same numbers for the same seed, from 0 up to but not including 1 (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const pick = <T>(random: () => number, from: readonly T[]): T => from[Math.floor(random() * from.length)]!;

export const servicesOf = ({ services }: CountySize): string[] =>
  Array.from({ length: services }, (_, index) => `service-${String(index + 1).padStart(2, '0')}`);

const firstNames =
  'Amelia Ben Chloë Dafydd Eve François George Hannah Isla José Ken Łukasz Mary Noah Olga Paul Róisín Sophia Wendy Zoë'.split(' ');
const lastNames =
  "Ash Brown Clark d'Arcy Davies Evans Fitz-Hugh Green Hughes Jones Kowalski Lee MacLeod O'Brien Patel Smith Taylor Williams".split(' ');

/**
 * The county's people.csv, organisation by organisation as schools write theirs: about 60 people each, the first of them its
 * administrator, and one person in 25 in another organisation as well.
 */
export function* peopleRows(size: CountySize, seed = 1): Generator<ImportRow> {
  const random = seeded(seed);
  let number = 0;
  for (let organisation = 1; organisation <= size.organisations; organisation++) {
    const last = Math.round(((organisation - 0.4 * random()) / size.organisations) * size.people);
    const before = number;
    for (const end = organisation === size.organisations ? size.people : last; number < end; ) {
      number++;
      const row = personRow(number, organisation, number === before + 1, random);
      yield row;
      if (random() < 0.04) yield { ...row, ...schoolOf(otherThan(organisation, size, random)), administrator: 'no' };
    }
  }
}

const otherThan = (organisation: number, { organisations }: CountySize, random: () => number) =>
  ((organisation + Math.floor(random() * (organisations - 1))) % organisations) + 1;

const schoolOf = (organisation: number) => ({
  organisation_code: String(10_000 + organisation),
  organisation_name: `School of ${lastNames[organisation % lastNames.length]} ${organisation}`,
});

function personRow(number: number, organisation: number, administrator: boolean, random: () => number): ImportRow {
  const [first_name, last_name] = [pick(random, firstNames), pick(random, lastNames)];
  return {
    source_id: `M${number}`,
    user_id: administrator ? '' : `${first_name[0]}${last_name}${number}`.toUpperCase(),
    first_name,
    last_name,
    email: `person${number}@school${organisation}.example`,
    phone: `01962 ${String(100_000 + Math.floor(random() * 900_000))}`,
    ...schoolOf(organisation),
    administrator: administrator ? 'yes' : 'no',
    job_role: pick(random, ['Teacher', 'Bursar', 'Governor', 'Head', '']),
  };
}

type RuleRow = Insertable<Tables['rules']>;
const day = 86_400_000;
const rowsOfAChange = 200;

/**
 * Gives the people who are there their rights: half of the services for each organisation, about four grants for each person, some of
 * them removed, over, not begun or with an end, and a block in most organisations. Written as the store writes them, in small changes.
 */
export async function giveRights(store: Store, size: CountySize, now: number, seed = 2): Promise<void> {
  const random = seeded(seed);
  const members = await membersByOrganisation(store);
  const total = [...members.values()].reduce((sum, people) => sum + people.length, 0);
  let rows: RuleRow[] = [];
  for (const [organisation, people] of members) {
    rows.push(...rulesOf(organisation, people, { each: size.grants / total, services: servicesOf(size), now, random }));
    while (rows.length >= rowsOfAChange) rows = await write(store, rows);
  }
  while (rows.length > 0) rows = await write(store, rows);
}

async function write(store: Store, rows: RuleRow[]): Promise<RuleRow[]> {
  await store.change(async tx => void (await tx.insertInto('rules').values(rows.slice(0, rowsOfAChange)).execute()));
  return rows.slice(rowsOfAChange);
}

async function membersByOrganisation({ db }: Store): Promise<Map<number, number[]>> {
  const members = new Map<number, number[]>();
  const organisations = await db.selectFrom('organisations').select('id').orderBy('id').execute();
  for (const { id } of organisations) {
    const rows = await db.selectFrom('memberships').select('person_id').where('organisation_id', '=', id).orderBy('person_id').execute();
    members.set(
      id,
      rows.map(row => row.person_id),
    );
  }
  return members;
}

type Giving = { each: number; services: readonly string[]; now: number; random: () => number };

function rulesOf(organisation: number, people: readonly number[], { each, services, now, random }: Giving): RuleRow[] {
  const domain = organisationDomain(organisation);
  const subscribed = services.filter(() => random() < 0.5);
  const rule = (ptype: 'p' | 'g', [v0, v1, v2, v3, v4]: string[], times: Partial<RuleRow> = {}): RuleRow => ({
    ...{
      domain,
      ptype,
      v0: v0!,
      v1: v1!,
      v2: v2!,
      v3: v3 ?? null,
      v4: v4 ?? null,
      starts_at: null,
      ends_at: null,
      granted_at: now - 30 * day,
    },
    ...{ granted_by: null, reason: null, revoked_at: null, revoked_by: null, ...times },
  });
  const rows = subscribed.flatMap(service => [
    rule('p', [serviceRole(service), domain, serviceObject(service), 'use', 'allow']),
    rule('p', [administratorRole, domain, serviceObject(service), 'grant', 'allow']),
  ]);
  for (const person of people) {
    const wanted = Math.round(each * (0.5 + random()));
    const given = new Set(Array.from({ length: wanted }, () => pick(random, random() < 0.95 ? subscribed : services)));
    for (const service of given)
      if (service) rows.push(rule('g', [personSubject(person), serviceRole(service), domain], timesOf(random(), now)));
  }
  for (const person of people.slice(3, 3 + Math.floor(random() * 3))) {
    const service = pick(random, subscribed);
    if (service)
      rows.push(rule('p', [personSubject(person), domain, serviceObject(service), 'use', 'deny'], { reason: 'Asked by the council' }));
  }
  return rows;
}

function timesOf(chance: number, now: number): Partial<RuleRow> {
  if (chance < 0.03) return { revoked_at: now - day };
  if (chance < 0.06) return { ends_at: now - day };
  if (chance < 0.08) return { starts_at: now + 30 * day };
  if (chance < 0.12) return { ends_at: now + 60 * day };
  return {};
}

/** Entries for the end of a services.yaml. */
export const servicesYaml = (size: CountySize): string =>
  servicesOf(size)
    .map(
      id => `
  - id: ${id}
    shortName: The ${id}
    fullName: The ${id} of the county
    description: A service of the county.
    contact: { name: Support, email: support@hants.gov.uk }
    whoMayGrant: organisation-administrators
    start: https://www3.hants.gov.uk/county/${id}
    pages:
      - { address: https://www3.hants.gov.uk/county/${id}, match: prefix }
`,
    )
    .join('');
