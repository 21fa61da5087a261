import type { Rule } from './decision.ts';
import { checkRule, holdsAt, ruleText } from './rules.ts';

/**
 * The rules that hold at `at` (milliseconds) as ordinary Casbin CSV, to be read together with model.conf. Throws
 * MalformedRuleFault rather than write a value that would read differently. An empty answer means that no rule holds.
 */
export function toCsv(rules: Iterable<Rule>, at: number): string {
  let text = '';
  for (const rule of rules) {
    checkRule(rule);
    if (holdsAt(rule, at)) text += `${ruleText(rule)}\n`;
  }
  return text;
}
