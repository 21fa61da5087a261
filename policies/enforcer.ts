import { readFileSync } from 'node:fs';
import { type Enforcer, newEnforcer, newModelFromString } from 'casbin';
import type { Domain, Rule } from './decision.ts';
import { checkRule, ruleText } from './rules.ts';

/** The Casbin model all decisions are made with; the exported rules are read with the same file. */
const modelText = readFileSync(new URL('./model.conf', import.meta.url), 'utf8');

/**
 * Builds an enforcer holding exactly these rules of one domain. It is never changed afterwards: Casbin empties its model before
 * it loads rules again, so a change needs a new one. Throws MalformedRuleFault if any rule would be misread; leaving that rule
 * out could lose a block.
 */
export async function buildEnforcer(domain: Domain, rules: readonly Rule[]): Promise<Enforcer> {
  const values = { p: new Map<string, string[]>(), g: new Map<string, string[]>() };
  for (const rule of rules) {
    checkRule(rule, domain);
    values[rule.ptype].set(ruleText(rule), [...rule.v]);
  }
  const model = newModelFromString(modelText);
  // One call per kind: Casbin compares each addition with every rule already there, which is quadratic one by one.
  for (const ptype of ['p', 'g'] as const) model.addPolicies(ptype, ptype, [...values[ptype].values()]);
  const enforcer = await newEnforcer(model);
  await enforcer.buildRoleLinks();
  return enforcer;
}
