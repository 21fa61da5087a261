import { readFileSync } from 'node:fs';
import { type Assertion, DefaultRoleManager, newEnforcer, newModelFromString } from 'casbin';
import type { Action, Domain, Rule } from './decision.ts';
import { checkRule } from './rules.ts';

/** The Casbin model all decisions are made with; the exported rules are read with the same file. */
const model = newModelFromString(readFileSync(new URL('./model.conf', import.meta.url), 'utf8'));

// One Casbin for all domains: a compiled matcher and a table of functions for each of them would weigh more than their rules.
const casbin = await newEnforcer(model);
const policies = assertionOf('p');
let held: readonly string[] = [];
// Casbin asks for roles of the one person the question is about, and a person's roles have no roles of their own.
assertionOf('g').rm = Object.assign(new DefaultRoleManager(1), { syncedHasLink: (_person: string, role: string) => held.includes(role) });

/** Casbin's answer: whether it is allowed, and the policy rule that decided, if one did: for one rule always the same array. */
export type Enforce = (person: number, service: string, action: Action) => [allowed: boolean, rule: readonly string[]];

const nothing: string[][] = [];
const noRoles: readonly string[] = [];

/**
 * Builds the enforcer of one domain, holding exactly these rules; it is never changed, a change needs a new one. Throws
 * MalformedRuleFault if any rule would be misread; leaving that rule out could lose a block.
 */
export function buildEnforcer(domain: Domain, rules: readonly Rule[]): Enforce {
  const { byObject, roles } = layOut(domain, rules);
  return (person, service, action) => {
    const object = `s:${service}`;
    // Casbin walks every policy rule it has at every question, and its matcher compares object and action for equality. So it is lent
    // those of this object and action only, for this one question: nobody can ask another before it has answered.
    policies.policy = byObject[action].get(object) ?? nothing;
    held = roles.get(person) ?? noRoles;
    return casbin.enforceExSync(`u:${person}`, domain, object, action);
  };
}

type Layout = { byObject: Record<Action, Map<string, string[][]>>; roles: Map<number, readonly string[]> };

/** Policy rules by what they are about, roles by who holds them. */
function layOut(domain: Domain, rules: readonly Rule[]): Layout {
  const byObject = { use: new Map<string, string[][]>(), grant: new Map<string, string[][]>() };
  const roles = new Map<number, string[]>();
  const shared = shareTexts();
  for (const rule of rules) {
    checkRule(rule, domain);
    const v = rule.v.map(shared);
    if (rule.ptype === 'p') addTo(byObject[v[3] as Action], v[2]!, v);
    else addTo(roles, Number(v[0]!.slice('u:'.length)), v[1]!);
  }
  // Lists that grew have room to grow further, which these never will.
  for (const [person, list] of roles) roles.set(person, list.slice());
  return { byObject, roles };
}

function addTo<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}

/** Every value of every row comes from the database as a text of its own: of those that say the same, one is kept. */
function shareTexts(): (text: string) => string {
  const kept = new Map<string, string>();
  return text => {
    const known = kept.get(text);
    if (known !== undefined) return known;
    kept.set(text, text);
    return text;
  };
}

function assertionOf(section: 'p' | 'g'): Assertion {
  const assertion = model.model.get(section)?.get(section);
  if (!assertion) throw new Error(`policies/model.conf has no section for ${section}`);
  return assertion;
}
