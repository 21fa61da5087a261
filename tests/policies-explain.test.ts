import { expect, test } from 'vitest';
import type { Question } from '#policies/decision.ts';
import { day, facts, noon, organisationRules, policiesOver, rule } from '#tests/policies-facts.ts';

const names = { person: 'Joan Smith', organisation: 'Wyvern School', service: 'Electronic Forms Service' };
const question: Question = { person: 42, organisation: 7, service: 'efs', action: 'use' };
const people = { 1: 'active', 42: 'active', 44: 'inactive' } as const;
const subscribed = organisationRules('o:7', ['efs']);
const texts = (rules: { text: string }[]) => rules.map(each => each.text);

test('an allow names the service, how it came about, when it ends, and both rules by id', async () => {
  const grant = rule('g, u:42, r:efs, o:7', { endsAt: Date.UTC(2019, 2, 31) });
  const { policies } = policiesOver({ 'o:7': facts([...subscribed, grant], people) });
  const explanation = await policies.explain(question, names);
  expect(explanation.decision).toEqual(await policies.decide(question));
  expect(explanation.sentences).toEqual([
    'Yes: Joan Smith may open Electronic Forms Service at Wyvern School.',
    'Wyvern School has Electronic Forms Service, and Joan Smith was given it there.',
    'This ends on 30 March 2019.',
  ]);
  const subscription = subscribed.find(each => each.v[0] === 'r:efs');
  expect(explanation.rules.map(each => each.id)).toEqual([subscription?.id, grant.id]);
  expect(texts(explanation.rules)).toEqual(['p, r:efs, o:7, s:efs, use, allow', 'g, u:42, r:efs, o:7']);
  expect(explanation.validUntil).toBe(grant.endsAt);
  expect(explanation.at).toBe(noon);
});

test('of two grants the longer one says when access ends', async () => {
  const grants = [rule('g, u:42, r:efs, o:7', { endsAt: noon + day }), rule('g, u:42, r:efs, o:7')];
  const { policies } = policiesOver({ 'o:7': facts([...subscribed, ...grants], people) });
  const { sentences, validUntil, rules } = await policies.explain(question, names);
  expect(sentences.join(' ')).not.toContain('This ends');
  expect(rules).toHaveLength(3);
  expect(validUntil).toBe(noon + day);
});

test('an administrator may give because of the appointment', async () => {
  const { policies } = policiesOver({ 'o:7': facts([...subscribed, rule('g, u:1, r:organisation-admin, o:7')], people) });
  const { sentences } = await policies.explain({ ...question, person: 1, action: 'grant' }, names);
  expect(sentences).toEqual([
    'Yes: Joan Smith may give Electronic Forms Service to people of Wyvern School.',
    'Joan Smith is an Organisation Administrator of Wyvern School.',
  ]);
});

const misses: [string, () => ReturnType<typeof rule>[], string[]][] = [
  [
    'a grant that ended',
    () => [...subscribed, rule('g, u:42, r:efs, o:7', { endsAt: noon })],
    ['ended', 'The access of Joan Smith to Electronic Forms Service at Wyvern School ended on 4 March 2019.'],
  ],
  [
    'a grant that has not started',
    () => [...subscribed, rule('g, u:42, r:efs, o:7', { startsAt: noon + day })],
    ['not-started', 'The access of Joan Smith to Electronic Forms Service at Wyvern School starts on 5 March 2019.'],
  ],
  [
    'a subscription that ended',
    () => [rule('p, r:efs, o:7, s:efs, use, allow', { endsAt: noon })],
    ['ended', 'The right of Wyvern School to Electronic Forms Service ended on 4 March 2019.'],
  ],
  [
    'a grant without a subscription',
    () => [rule('g, u:42, r:efs, o:7')],
    ['alone', 'Joan Smith was given it, which has no effect while Wyvern School does not have it.'],
  ],
];
for (const [name, rules, [why, sentence]] of misses) {
  test(`a refusal tells of ${name}`, async () => {
    const { policies } = policiesOver({ 'o:7': facts(rules(), people) });
    const { decision, sentences, nearMisses } = await policies.explain(question, names);
    expect(decision.outcome).toBe('deny');
    expect(nearMisses).toMatchObject([{ why, sentence }]);
    expect(sentences.at(-1)).toBe(sentence);
  });
}

test('a block is told with its rule', async () => {
  const block = rule('p, u:42, o:7, s:efs, use, deny');
  const { policies } = policiesOver({ 'o:7': facts([...subscribed, rule('g, u:42, r:efs, o:7'), block], people) });
  const { sentences, rules } = await policies.explain(question, names);
  expect(sentences).toEqual(['No: the council has blocked Joan Smith from Electronic Forms Service at Wyvern School.']);
  expect(rules.map(each => each.id)).toEqual([block.id]);
});

const refusals: [string, Partial<Question>, string][] = [
  ['a person who left', { person: 44 }, 'No: the account of Joan Smith has been deactivated.'],
  ['a stranger', { person: 99 }, 'No: Joan Smith does not belong to Wyvern School.'],
  ['an unknown service', { service: 'nothing' }, 'No: there is no service "nothing".'],
  [
    'no subscription',
    { service: 'hias' },
    'No: Wyvern School does not have Electronic Forms Service. The council decides which organisations have it.',
  ],
  ['no grant', {}, 'No: Joan Smith does not have the right to open Electronic Forms Service at Wyvern School.'],
  ['no administrator', { service: 'organisation-admin' }, 'No: Joan Smith does not have the right to administer Wyvern School.'],
];
for (const [name, part, sentence] of refusals) {
  test(`a refusal in words: ${name}`, async () => {
    const { policies } = policiesOver({ 'o:7': facts(subscribed, people) });
    expect((await policies.explain({ ...question, ...part }, names)).sentences).toEqual([sentence]);
  });
}

test('without names the ids are told, and sentences begin with a capital', async () => {
  const { policies } = policiesOver({ 'o:7': facts([...subscribed, rule('g, u:42, r:efs, o:7')], people) });
  expect((await policies.explain(question)).sentences).toEqual([
    'Yes: Person 42 may open the service "efs" at organisation 7.',
    'Organisation 7 has the service "efs", and Person 42 was given it there.',
  ]);
});

test('a service that opens later says when, and the answer is true until then', async () => {
  const { policies, world } = policiesOver({ 'o:7': facts([...subscribed, rule('g, u:42, r:efs, o:7')], people) });
  const opensAt = noon + 10 * day;
  world.services.set('efs', { live: now => now >= opensAt, opensAt });
  const { sentences, validUntil } = await policies.explain(question, names);
  expect(sentences).toEqual(['No: Electronic Forms Service opens on 14 March 2019.']);
  expect(validUntil).toBe(opensAt);
});

test('rights that cannot be read are explained as such', async () => {
  const { policies, world } = policiesOver({});
  world.factsOf = () => Promise.reject(new Error('no database'));
  const { decision, sentences } = await policies.explain(question, names);
  expect(decision.reason).toBe('rights-not-known');
  expect(sentences).toEqual(['No: the rights could not be read, and what is not known is not allowed.']);
});
