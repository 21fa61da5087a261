import { expect, test } from 'vitest';
import { applyChange } from '#gateway/changes.ts';
import type { ActivityKind, Entry } from '#store/activity.ts';
import { facts, organisationRules, policiesOver, rule } from '#tests/policies-facts.ts';

// Person 42 belongs to 7 and 8 and is an operator of the council; 43 belongs to 9 alone.
const domains = {
  'o:7': facts(organisationRules('o:7', ['efs']), { 42: 'active' }),
  'o:8': facts(organisationRules('o:8', ['efs']), { 42: 'active' }),
  'o:9': facts(organisationRules('o:9', ['efs']), { 43: 'active' }),
  'o:council': facts([rule('g, u:42, r:council-operator, o:council')], { 42: 'active' }),
} as const;

/** The domains whose rules are read again after such an entry, and the people whose sessions are. */
async function readAgainAfter(kind: ActivityKind, about: Partial<Entry>) {
  const { policies, world } = policiesOver(domains);
  const ask = async () => {
    for (const organisation of [7, 8, 9, 'council'] as const)
      for (const person of [42, 43]) await policies.decide({ person, organisation, service: 'efs', action: 'use' });
  };
  await ask();
  const forgotten: (number | null)[] = [];
  const entry: Entry = {
    id: 1,
    at: 0,
    kind,
    actor: null,
    organisation: null,
    person: null,
    session: null,
    service: null,
    data: {},
    ...about,
  };
  let reviews = 0;
  const live = { reviewSoon: () => void reviews++ };
  applyChange(entry, { policies, sessions: { forget: ({ person }) => void forgotten.push(person) }, live });
  expect(reviews).toBe(1);
  const sound = world.factsOf;
  const read: string[] = [];
  world.factsOf = domain => {
    read.push(domain);
    return sound(domain);
  };
  await ask();
  return { read, forgotten };
}

// The kind, whom and what it names, the domains read again, and whether the sessions of the person are.
const cases: [ActivityKind, Partial<Entry>, string[], boolean][] = [
  ['access-changed', { organisation: 7, person: 42 }, ['o:7'], false],
  ['membership-removed', { organisation: 8, person: 42 }, ['o:8'], true],
  ['subscription-removed', { organisation: 9 }, ['o:9'], true],
  ['blocked', { organisation: 7, person: 42 }, ['o:7'], false],
  ['organisation-closed', { organisation: 9 }, ['o:9'], true],
  ['person-deactivated', { person: 42 }, ['o:7', 'o:8', 'o:council'], true],
  ['council-role-taken', { person: 43 }, ['o:9', 'o:council'], true],
  ['session-started', { organisation: 7, person: 42, session: 1 }, [], true],
  ['session-ended', { organisation: 7, person: 42, session: 1 }, [], true],
  ['person-imported', { person: 42 }, [], true],
  ['link-made', { organisation: 7, person: 42 }, [], true],
];

test.each(cases)('after "%s" the rules it can concern are read again, and no others', async (kind, about, domainsRead, sessionsToo) => {
  const { read, forgotten } = await readAgainAfter(kind, about);
  expect(read).toEqual(domainsRead);
  expect(forgotten).toEqual(sessionsToo ? [about.person ?? null] : []);
});
