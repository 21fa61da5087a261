import { expect, test } from 'vitest';
import type { Decision, Domain, Question, Reason, Rule } from '#policies/decision.ts';
import { day, facts, noon, organisationRules, policiesOver, rule } from '#tests/policies-facts.ts';

const ask = (
  person: number,
  service = 'efs',
  action: Question['action'] = 'use',
  organisation: Question['organisation'] = 7,
): Question => ({
  person,
  organisation,
  service,
  action,
});

const [admin, granted, plain, left, direct] = [1, 42, 43, 44, 45];

function school(extra: Rule[] = []) {
  return facts(
    [
      ...organisationRules('o:7', ['efs', 'hias']),
      rule('g, u:1, r:organisation-admin, o:7'),
      rule('g, u:42, r:efs, o:7'),
      rule('g, u:42, r:anycomms, o:7'),
      rule('g, u:44, r:efs, o:7'),
      rule('p, u:45, o:7, s:efs, use, allow'),
      ...extra,
    ],
    { [admin]: 'active', [granted]: 'active', [plain]: 'active', [left]: 'inactive', [direct]: 'active' },
  );
}

const cases: [string, Question, Decision['outcome'], Reason, string | null][] = [
  ['a granted person may use the service', ask(granted), 'allow', 'granted', 'p, r:efs, o:7, s:efs, use, allow'],
  ['a rule naming the person works too', ask(direct), 'allow', 'granted', 'p, u:45, o:7, s:efs, use, allow'],
  ['nothing said is deny', ask(plain), 'deny', 'no-grant', null],
  ['using is not giving', ask(granted, 'efs', 'grant'), 'deny', 'no-grant', null],
  ['an administrator may give', ask(admin, 'efs', 'grant'), 'allow', 'granted', 'p, r:organisation-admin, o:7, s:efs, grant, allow'],
  ['an administrator has no service by that alone', ask(admin), 'deny', 'no-grant', null],
  ['a grant without a subscription does nothing', ask(granted, 'anycomms'), 'deny', 'no-subscription', null],
  ['nobody gives what the organisation does not have', ask(admin, 'anycomms', 'grant'), 'deny', 'no-subscription', null],
  [
    'administrators administer',
    ask(admin, 'organisation-admin'),
    'allow',
    'granted',
    'p, r:organisation-admin, o:7, s:organisation-admin, use, allow',
  ],
  ['others do not', ask(granted, 'organisation-admin'), 'deny', 'no-grant', null],
  ['an administrator is no council operator', ask(admin, 'council-admin'), 'deny', 'no-grant', null],
  ['a deactivated person is refused whatever was granted', ask(left), 'deny', 'person-inactive', null],
  ['a stranger is refused', ask(99), 'deny', 'not-a-member', null],
  ['a service nobody knows is refused', ask(granted, 'nothing'), 'deny', 'service-unknown', null],
  ['an object prototype name is no service', ask(granted, '__proto__'), 'deny', 'service-unknown', null],
  ['a role name is no service', ask(granted, 'r:efs'), 'deny', 'service-unknown', null],
  ['a member of one organisation is a stranger in another', ask(granted, 'efs', 'use', 8), 'deny', 'not-a-member', null],
  ['an invented organisation is like a foreign one', ask(granted, 'efs', 'use', 123_456), 'deny', 'not-a-member', null],
];

for (const [name, question, outcome, reason, deciding] of cases) {
  test(`${name} (read first, then from memory)`, async () => {
    const { policies, world } = policiesOver({ 'o:7': school(), 'o:8': facts(organisationRules('o:8', ['efs']), { 2: 'active' }) });
    const expected = { outcome, reason, rule: deciding };
    expect(await policies.decide(question)).toEqual(expected);
    expect(await policies.decide(question)).toEqual(expected);
    expect(world.faults).toEqual([]);
  });
}

test('what is remembered of one question answers no other: not for another person, organisation, service or action #79', async () => {
  const { policies } = policiesOver({ 'o:7': school(), 'o:8': facts(organisationRules('o:8', ['efs']), { [plain]: 'active' }) });
  for (const order of [cases, cases.toReversed(), cases]) {
    for (const [name, question, outcome, reason] of order)
      expect([name, await policies.decide(question)]).toMatchObject([name, { outcome, reason }]);
  }
});

test('the second question about an organisation is answered at once', async () => {
  const { policies } = policiesOver({ 'o:7': school() });
  expect(policies.decide(ask(granted))).toBeInstanceOf(Promise);
  await policies.decide(ask(granted));
  expect(policies.decide(ask(plain))).toMatchObject({ outcome: 'deny' });
});

for (const [name, block] of [
  ['a block of the person', 'p, u:42, o:7, s:efs, use, deny'],
  ['a block of the whole organisation', 'p, r:efs, o:7, s:efs, use, deny'],
] as const) {
  for (const place of ['first', 'last'] as const) {
    test(`${name} beats every grant, standing ${place}`, async () => {
      const { rules, people } = school([rule('p, u:42, o:7, s:efs, use, allow')]);
      const blocked = place === 'first' ? [rule(block), ...rules] : [...rules, rule(block)];
      const { policies } = policiesOver({ 'o:7': { open: true, people, rules: blocked } });
      expect(await policies.decide(ask(granted))).toEqual({ outcome: 'deny', reason: 'blocked', rule: block });
    });
  }
}

test('a block of one service, person or organisation leaves the others', async () => {
  const { policies } = policiesOver({ 'o:7': school([rule('p, u:42, o:7, s:hias, use, deny'), rule('g, u:43, r:hias, o:7')]) });
  expect(await policies.decide(ask(granted))).toMatchObject({ outcome: 'allow' });
  expect(await policies.decide(ask(plain, 'hias'))).toMatchObject({ outcome: 'allow' });
});

test('a closed organisation allows nobody, and only its own people hear that it is closed', async () => {
  const { policies } = policiesOver({ 'o:7': { ...school(), open: false } });
  expect(await policies.decide(ask(granted))).toMatchObject({ outcome: 'deny', reason: 'organisation-closed' });
  expect(await policies.decide(ask(99))).toMatchObject({ outcome: 'deny', reason: 'not-a-member' });
});

test('before its opening day a service may be given but not used; once archived neither', async () => {
  const { policies, world } = policiesOver({ 'o:7': school() });
  world.services.set('efs', { live: now => now >= noon + day, opensAt: noon + day });
  expect(await policies.decide(ask(granted))).toEqual({ outcome: 'deny', reason: 'service-not-open', rule: null });
  expect(await policies.decide(ask(admin, 'efs', 'grant'))).toMatchObject({ outcome: 'allow' });
  world.now += day;
  expect(await policies.decide(ask(granted))).toMatchObject({ outcome: 'allow' });
  world.services.set('efs', { live: () => false, opensAt: noon });
  expect(await policies.decide(ask(granted))).toMatchObject({ reason: 'service-not-open' });
  expect(await policies.decide(ask(admin, 'efs', 'grant'))).toMatchObject({ reason: 'service-not-open' });
});

test('council roles count in the council domain and nowhere else', async () => {
  const council = facts(
    [rule('p, r:council-operator, o:council, s:council-admin, use, allow'), rule('g, u:5, r:council-operator, o:council')],
    {
      5: 'active',
      6: 'active',
    },
  );
  const { policies } = policiesOver({ 'o:council': council, 'o:7': school() });
  expect(await policies.decide(ask(5, 'council-admin', 'use', 'council'))).toMatchObject({ outcome: 'allow' });
  expect(await policies.decide(ask(6, 'council-admin', 'use', 'council'))).toMatchObject({ outcome: 'deny', reason: 'no-grant' });
  expect(await policies.decide(ask(5, 'council-admin'))).toMatchObject({ outcome: 'deny', reason: 'not-a-member' });
  expect(await policies.decide(ask(5, 'organisation-admin', 'use', 'council'))).toMatchObject({ outcome: 'deny' });
});

test('a service may be called like a role or a person without lending its name to anybody', async () => {
  const names = ['organisation-admin', 'council-operator', 'u', 'r', 'o'];
  const rules = names.flatMap(name => [rule(`p, r:${name}, o:7, s:${name}, use, allow`)]);
  const { policies, world } = policiesOver({ 'o:7': facts([...rules, rule('g, u:42, r:u, o:7')], { 42: 'active', 43: 'active' }) });
  for (const name of names) world.services.set(name, { live: () => true });
  expect(await policies.decide(ask(42, 'u'))).toMatchObject({ outcome: 'allow' });
  for (const name of names.filter(name => name !== 'u')) expect(await policies.decide(ask(42, name))).toMatchObject({ outcome: 'deny' });
  for (const name of names) expect(await policies.decide(ask(43, name))).toMatchObject({ outcome: 'deny' });
});

const oddQuestions: [string, unknown][] = [
  ['an array as person', { ...ask(42), person: [42] }],
  ['a role in an array as person', { ...ask(42), person: ['r:efs'] }],
  ['an object as person', { ...ask(42), person: { toString: () => '42' } }],
  ['a text as person', { ...ask(42), person: '42' }],
  ['a fraction', { ...ask(42), person: 42.5 }],
  ['no number', { ...ask(42), person: Number.NaN }],
  ['nobody', { ...ask(42), person: 0 }],
  ['a text as organisation', { ...ask(42), organisation: '7' }],
  ['a domain as organisation', { ...ask(42), organisation: 'o:7' }],
  ['an array as organisation', { ...ask(42), organisation: ['council'] }],
  ['an array as service', { ...ask(42), service: ['efs'] }],
  ['another action', { ...ask(42), action: 'administer' }],
  ['an array as action', { ...ask(42), action: ['use'] }],
  ['nothing', null],
  ['a text', 'allow'],
];
for (const [name, question] of oddQuestions) {
  test(`${name} is refused before any rule is read`, () => {
    const { policies, world } = policiesOver({ 'o:7': school() });
    expect(policies.decide(question as Question)).toEqual({ outcome: 'deny', reason: 'rights-not-known', rule: null });
    expect(world.reads).toBe(0);
  });
}

const malformed: [string, Rule][] = [
  ['an effect is misspelt', rule('p, u:42, o:7, s:efs, use, dney')],
  ['an effect is in capitals', rule('p, u:42, o:7, s:efs, use, Deny')],
  ['an effect is missing', rule('p, u:42, o:7, s:efs, use')],
  ['a value is too many', rule('p, u:42, o:7, s:efs, use, deny, x')],
  ['a person has no prefix', rule('p, 42, o:7, s:efs, use, deny')],
  ['a role has no prefix', rule('g, u:43, efs, o:7')],
  ['a person stands as a role', rule('g, u:43, u:42, o:7')],
  ['a role stands as a person', rule('g, r:hias, r:efs, o:7')],
  ['the action is unknown', rule('p, u:42, o:7, s:efs, open, deny')],
  ['a value holds a line end', rule('p, u:42, o:7, s:efs\n, use, deny')],
  ['the rule belongs to another organisation', rule('p, r:efs, o:8, s:efs, use, allow')],
  ['the kind is unknown', { ...rule('g, u:43, r:efs, o:7'), ptype: 'g2' as 'g' }],
  ['the kind is a name every object has', { ...rule('g, u:43, r:efs, o:7'), ptype: 'toString' as 'g' }],
  ['a value is no text', { ...rule('g, u:43, r:efs, o:7'), v: [['u:43'], 'r:efs', 'o:7'] as unknown as string[] }],
  ['a start is no time', { ...rule('g, u:43, r:efs, o:7'), startsAt: '2019' as unknown as number }],
  ['an end is no time', { ...rule('g, u:43, r:efs, o:7'), endsAt: Number.NaN }],
];
for (const [name, odd] of malformed) {
  test(`all is refused and reported, never a rule left out, when ${name} #102`, async () => {
    const { policies, world } = policiesOver({ 'o:7': school([odd]) });
    expect(await policies.decide(ask(granted))).toEqual({ outcome: 'deny', reason: 'rights-not-known', rule: null });
    expect(world.faults).toMatchObject([{ name: 'MalformedRuleFault', message: expect.stringContaining(`rule ${odd.id} `) }]);
    expect(policies.sizes().enforcers).toBe(0);
    world.domains['o:7'] = school();
    expect(await policies.decide(ask(granted))).toMatchObject({ outcome: 'allow' });
  });
}

const brokenSources: [string, (domain: Domain) => Promise<never>][] = [
  ['rejects', () => Promise.reject(new Error('no database'))],
  [
    'throws',
    () => {
      throw new Error('no database');
    },
  ],
  ['answers nothing', async () => undefined as never],
];
for (const [name, factsOf] of brokenSources) {
  test(`a source that ${name} means refusal, reported and not remembered`, async () => {
    const { policies, world } = policiesOver({ 'o:7': school() });
    const sound = world.factsOf;
    world.factsOf = factsOf;
    expect(await policies.decide(ask(granted))).toEqual({ outcome: 'deny', reason: 'rights-not-known', rule: null });
    expect(world.faults).toHaveLength(1);
    world.factsOf = sound;
    expect(await policies.decide(ask(granted))).toMatchObject({ outcome: 'allow' });
  });
}

test('a catalogue that fails means refusal', () => {
  const { policies, world } = policiesOver({ 'o:7': school() });
  world.services.set('efs', {
    live() {
      throw new Error('no catalogue');
    },
  });
  expect(policies.decide(ask(granted))).toMatchObject({ outcome: 'deny', reason: 'rights-not-known' });
  expect(world.faults).toHaveLength(1);
});

test('a page shared by services opens for whoever may use one of them', async () => {
  const { policies } = policiesOver({ 'o:7': school([rule('p, u:42, o:7, s:hias, use, deny')]) });
  const who = { organisation: 7, services: ['hias', 'anycomms', 'efs'] };
  expect(await policies.anyServiceOn({ ...who, person: granted })).toMatchObject({ outcome: 'allow', reason: 'shared-page' });
  expect(await policies.anyServiceOn({ ...who, person: plain })).toMatchObject({ outcome: 'deny', reason: 'no-grant' });
  expect(await policies.anyServiceOn({ ...who, person: left })).toMatchObject({ outcome: 'deny', reason: 'person-inactive' });
  expect(await policies.anyServiceOn({ ...who, person: granted, services: [] })).toMatchObject({ outcome: 'deny' });
});
