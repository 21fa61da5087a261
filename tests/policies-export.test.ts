import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Enforcer, newEnforcer } from 'casbin';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { actions, type Domain, domainOf, type Facts, type Question, type Rule } from '#policies/decision.ts';
import { toCsv } from '#policies/export.ts';
import { day, noon, policiesOver, rule } from '#tests/policies-facts.ts';

const model = fileURLToPath(new URL('../policies/model.conf', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'policies-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Casbin alone: its own reader of the model file and of a CSV file, all organisations together. */
async function readByCasbin(csv: string): Promise<Enforcer> {
  const file = join(folder, 'rules.csv');
  writeFileSync(file, csv);
  return newEnforcer(model, file);
}

const organisations = [7, 8, 'council'] as const;
const members = [1, 2, 3, 4];
const stranger = 99;
const services = ['efs', 'anycomms', 'organisation-admin', 'council-operator'];
const moments = [0, 1, 2, 3].map(days => noon + days * day);

const time = fc.option(fc.constantFrom(...moments), { nil: null, freq: 2 });
const removed = fc.constantFrom(true, false, false, false);
const when = fc.record({ startsAt: time, endsAt: time, removed });
const granting = fc.record({ kind: fc.constant('grant'), person: fc.constantFrom(...members), service: fc.constantFrom(...services) });
const subscribing = fc.record({
  kind: fc.constant('subscription'),
  service: fc.constantFrom(...services),
  role: fc.constantFrom(...services),
  action: fc.constantFrom(...actions),
});
const blocking = fc.record({ kind: fc.constant('block'), person: fc.constantFrom(...members), service: fc.constantFrom(...services) });
const stored = fc.tuple(fc.oneof(granting, granting, subscribing, subscribing, subscribing, blocking), when);

type Stored = typeof stored extends fc.Arbitrary<infer T> ? T : never;

function lineOf(what: Stored[0], domain: Domain): string {
  if (what.kind === 'grant') return `g, u:${(what as { person: number }).person}, r:${what.service}, ${domain}`;
  if (what.kind === 'block') return `p, u:${(what as { person: number }).person}, ${domain}, s:${what.service}, use, deny`;
  const { role, action } = what as { role: string; action: string };
  // Half of the subscriptions are ordinary ones; the others lead from any role to any service.
  return `p, r:${role < 'd' ? what.service : role}, ${domain}, s:${what.service}, ${action}, allow`;
}

function rulesOf(made: readonly Stored[], domain: Domain): Rule[] {
  // A removed rule is not among the facts any more.
  const kept = made.filter(([, { removed }]) => !removed);
  return kept.map(([what, { startsAt, endsAt }]) => ({ ...rule(lineOf(what, domain)), startsAt, endsAt }));
}

function* questions(): Generator<Question> {
  for (const organisation of organisations)
    for (const person of [...members, stranger])
      for (const service of services) for (const action of actions) yield { person, organisation, service, action };
}

test('Casbin reading the exported rules decides as the gateway does, at every moment', async () => {
  const counts = { asked: 0, allow: 0, blocked: 0, 'no-grant': 0, 'no-subscription': 0, 'not-a-member': 0, changedByTime: 0 };
  const differences: unknown[] = [];
  const worlds = fc.tuple(...organisations.map(() => fc.array(stored, { maxLength: 40, size: 'max' })));
  for (const made of fc.sample(worlds, { numRuns: 14, seed: 20_190_304 })) {
    const domains = organisations.map(
      (organisation, at) => [domainOf(organisation), rulesOf(made[at] ?? [], domainOf(organisation))] as const,
    );
    const people = new Map(members.map(person => [person, 'active' as const]));
    const { policies, world } = policiesOver(
      Object.fromEntries(domains.map(([domain, rules]) => [domain, { open: true, people, rules } satisfies Facts])),
    );
    for (const service of services) world.services.set(service, { live: () => true });
    const before = new Map<string, boolean>();
    for (const moment of [...moments, noon]) {
      world.now = moment;
      const casbin = await readByCasbin(
        toCsv(
          domains.flatMap(([, rules]) => rules),
          moment,
        ),
      );
      for (const question of questions()) {
        const decision = await policies.decide(question);
        const expected = casbin.enforceSync(
          `u:${question.person}`,
          domainOf(question.organisation),
          `s:${question.service}`,
          question.action,
        );
        if ((decision.outcome === 'allow') !== expected) differences.push({ question, moment, decision, expected });
        const key = JSON.stringify(question);
        if (before.has(key) && before.get(key) !== expected) counts.changedByTime++;
        before.set(key, expected);
        counts.asked++;
        if (decision.outcome === 'allow') counts.allow++;
        else if (decision.reason in counts) counts[decision.reason as 'blocked']++;
      }
    }
    expect(world.faults).toEqual([]);
  }

  expect(differences).toEqual([]);
  expect(counts.asked).toBeGreaterThan(8_000);
  // The comparison is worth something only if every kind of answer came up often.
  for (const [kind, count] of Object.entries(counts)) expect(count, kind).toBeGreaterThan(100);
});

test('the export is ordinary Casbin CSV of the rules that hold at the instant', () => {
  const rules = [
    rule('p, r:efs, o:7, s:efs, use, allow'),
    rule('g, u:42, r:efs, o:7', { endsAt: noon }),
    rule('g, u:43, r:efs, o:7', { startsAt: noon }),
    rule('g, u:44, r:efs, o:7', { startsAt: noon + 1 }),
    rule('p, u:43, o:7, s:efs, use, deny', { startsAt: noon - 1, endsAt: noon + 1 }),
  ];
  expect(toCsv(rules, noon)).toBe('p, r:efs, o:7, s:efs, use, allow\ng, u:43, r:efs, o:7\np, u:43, o:7, s:efs, use, deny\n');
  expect(toCsv([], noon)).toBe('');
});

for (const value of [
  'r:efs, o:7',
  'r:efs\np',
  'r:efs\r',
  'r:"efs"',
  'r:(efs',
  '#r:efs',
  ' r:efs',
  'r:',
  '',
  '=1+1',
  '+r:efs',
  '-r:efs',
  '@r:efs',
  '\tr:efs',
]) {
  test(`a value that would read differently is not written: ${JSON.stringify(value)}`, () => {
    const odd = { ...rule('g, u:42, r:efs, o:7'), v: ['u:42', value, 'o:7'] };
    expect(() => toCsv([odd], noon)).toThrow('the policy model');
  });
}
