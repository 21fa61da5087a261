import type { Domain, Rule } from './decision.ts';

const id = '[a-z][a-z0-9]*(?:-[a-z0-9]+)*';
const person = /^u:[1-9][0-9]{0,15}$/;
const role = new RegExp(`^r:${id}$`);
const domain = /^o:(?:[1-9][0-9]{0,15}|council)$/;
const object = new RegExp(`^s:${id}$`);
const action = /^(?:use|grant)$/;
const effect = /^(?:allow|deny)$/;
const personOrRole = new RegExp(`${person.source}|${role.source}`);

/**
 * What each value may look like. The prefixes matter: to Casbin a person called like a role holds that role. So does the
 * effect: Casbin takes a rule without one for an allow and ignores a misspelt one, which loses a deny. Nothing here can hold a
 * comma, a line end, a quote or a bracket, which would read differently in a CSV file.
 */
const shapes = {
  p: [personOrRole, domain, object, action, effect],
  g: [person, role, domain],
} as const;

/** Thrown for a stored rule that Casbin would misread. */
export class MalformedRuleFault extends Error {
  override name = 'MalformedRuleFault';
}

/** Throws MalformedRuleFault unless the rule has the values its kind must have; with `home`, all in that domain. */
export function checkRule(rule: Rule, home?: Domain): void {
  const shape = Object.hasOwn(shapes, rule.ptype) ? shapes[rule.ptype] : undefined;
  const sound =
    shape !== undefined &&
    Array.isArray(rule.v) &&
    rule.v.length === shape.length &&
    shape.every((pattern, at) => typeof rule.v[at] === 'string' && pattern.test(rule.v[at])) &&
    (home === undefined || domainOfRule(rule) === home);
  if (!sound) throw new MalformedRuleFault(`rule ${rule.id} is not one that the policy model knows`);
  checkTimes(rule);
}

/** Throws MalformedRuleFault unless it can be told when the rule holds. */
export function checkTimes(rule: Rule): void {
  for (const time of [rule.startsAt, rule.endsAt]) {
    if (time !== null && !Number.isSafeInteger(time)) throw new MalformedRuleFault(`rule ${rule.id} has a start or an end that is no time`);
  }
}

/** Whether the rule holds at `at` (milliseconds): from its start on, its end excluded. */
export function holdsAt(rule: Rule, at: number): boolean {
  return (rule.startsAt === null || rule.startsAt <= at) && (rule.endsAt === null || at < rule.endsAt);
}

/** The rule as a line of Casbin CSV, such as "p, r:efs, o:7, s:efs, use, allow". */
export function ruleText(rule: Pick<Rule, 'ptype' | 'v'>): string {
  return [rule.ptype, ...rule.v].join(', ');
}

function domainOfRule(rule: Rule): string | undefined {
  return rule.ptype === 'p' ? rule.v[1] : rule.v[2];
}
