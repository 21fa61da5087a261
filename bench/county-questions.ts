import { fileURLToPath } from 'node:url';
import { type Enforcer, newEnforcer, StringAdapter } from 'casbin';
import type { Decision, Question } from '#policies/decision.ts';
import type { Policies } from '#policies/policies.ts';
import type { Reader } from '#store/tables.ts';
import { pick, seeded } from './county.ts';

// Questions about a county, put to the policies and to Casbin's own enforceSync, which has read model.conf and the exported CSV.

export const kinds = [
  'any right of any member',
  'a grant that holds',
  'a removed grant',
  'a grant that is over',
  'a grant that has not begun',
  'a block',
  'an unknown person',
  'an unknown organisation',
] as const;
export type Kind = (typeof kinds)[number];
export type Asked = Record<Kind, number> & {
  allowed: number;
  denied: number;
  differences: { question: Question; decision: Decision; casbin: boolean }[];
};

export const model = fileURLToPath(new URL('../policies/model.conf', import.meta.url));
const unknown = 900_000_000;

type Comparing = { db: Reader; policies: Policies; csv: string; services: readonly string[]; each: number; at: number; seed?: number };

/**
 * Asks `each` questions of every organisation. Casbin gets an enforcer for each of them, with the lines of the export that name it:
 * with all 600,000 in one it would need a tenth of a second for an answer.
 */
export async function compareWithCasbin({ db, policies, csv, services, each, at, seed = 3 }: Comparing): Promise<Asked> {
  const random = seeded(seed);
  const asked = { ...Object.fromEntries(kinds.map(kind => [kind, 0])), allowed: 0, denied: 0, differences: [] } as unknown as Asked;
  const lines = linesByDomain(csv);
  for (const { id } of await db.selectFrom('organisations').select('id').orderBy('id').execute()) {
    const casbin = await newEnforcer(model, new StringAdapter((lines.get(`o:${id}`) ?? []).join('\n')));
    const drawn = await questionsOf(db, id, services, at, random);
    for (let number = 0; number < each; number++) {
      const kind = kinds[number % kinds.length]!;
      const question = drawn(kind);
      const decision = await policies.decide(question);
      const expected = ask(casbin, question);
      asked[kind]++;
      asked[expected ? 'allowed' : 'denied']++;
      if ((decision.outcome === 'allow') !== expected) asked.differences.push({ question, decision, casbin: expected });
    }
  }
  return asked;
}

export const ask = (casbin: Enforcer, { person, organisation, service, action }: Question): boolean =>
  casbin.enforceSync(`u:${person}`, `o:${organisation}`, `s:${service}`, action);

function linesByDomain(csv: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const line of csv.split('\n')) {
    const [ptype, , v1 = '', v2 = ''] = line.split(', ');
    const domain = ptype === 'p' ? v1 : v2;
    const others = found.get(domain);
    if (others) others.push(line);
    else found.set(domain, [line]);
  }
  return found;
}

/** Draws questions of a kind; where an organisation has nothing of that kind, any question about its members. */
export async function questionsOf(db: Reader, organisation: number, services: readonly string[], at: number, random: () => number) {
  const rules = await db.selectFrom('rules').selectAll().where('domain', '=', `o:${organisation}`).orderBy('id').execute();
  const members = await db.selectFrom('memberships').select('person_id').where('organisation_id', '=', organisation).execute();
  const people = members.map(row => row.person_id);
  const grants = rules.filter(({ ptype, v1 }) => ptype === 'g' && v1 !== 'r:organisation-admin');
  const of = {
    'a grant that holds': grants.filter(rule => rule.revoked_at === null && (rule.ends_at ?? at + 1) > at && (rule.starts_at ?? at) <= at),
    'a removed grant': grants.filter(rule => rule.revoked_at !== null),
    'a grant that is over': grants.filter(rule => rule.revoked_at === null && rule.ends_at !== null && rule.ends_at <= at),
    'a grant that has not begun': grants.filter(rule => rule.starts_at !== null && rule.starts_at > at),
    'a block': rules.filter(({ v4 }) => v4 === 'deny'),
  };
  const anything = (): Question => ({
    person: pick(random, people) ?? unknown,
    organisation,
    service: random() < 0.1 ? 'organisation-admin' : pick(random, services),
    action: random() < 0.2 ? 'grant' : 'use',
  });
  return (kind: Kind): Question => {
    if (kind === 'an unknown person') return { ...anything(), person: unknown + Math.floor(random() * 1e6) };
    if (kind === 'an unknown organisation') return { ...anything(), organisation: unknown + Math.floor(random() * 1e6) };
    const rule = kind === 'any right of any member' ? undefined : pick(random, of[kind]);
    if (!rule) return anything();
    const service = (rule.ptype === 'g' ? rule.v1 : rule.v2).slice(2);
    return { person: Number(rule.v0.slice(2)), organisation, service, action: 'use' };
  };
}
