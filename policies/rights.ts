import { type Decision, type Domain, type Facts, type Question, refuse, specialServices } from './decision.ts';
import { buildEnforcer } from './enforcer.ts';
import { checkTimes, holdsAt, ruleText } from './rules.ts';

/** What one domain's rules say, true from `validFrom` up to but not including `validUntil` unless the rules change. */
export type Rights = {
  domain: Domain;
  facts: Facts;
  validFrom: number;
  validUntil: number;
  /** Decides by membership, then by Casbin. The service must be one that exists and is open: that is not looked at here. */
  judge(question: Question): Decision;
  remembered(): number;
};

const maxRemembered = 5_000;

/** Builds the rights of a domain from its facts for the time around `now`. Throws MalformedRuleFault. */
export async function buildRights(domain: Domain, facts: Facts, now: number): Promise<Rights> {
  if (facts.people.size === 0) return rightsOfNobody(domain, facts);
  for (const rule of facts.rules) checkTimes(rule);
  const holding = facts.rules.filter(rule => holdsAt(rule, now));
  const enforcer = await buildEnforcer(domain, holding);
  const subscribed = new Set(
    holding.filter(rule => rule.ptype === 'p' && rule.v[3] === 'use' && rule.v[4] === 'allow').map(rule => rule.v[2]),
  );
  const memory = new Map<string, Decision>();

  function enforce({ person, service, action }: Question): Decision {
    const [allowed, rule] = enforcer.enforceExSync(`u:${person}`, domain, `s:${service}`, action);
    const text = rule.length > 0 ? ruleText({ ptype: 'p', v: rule }) : null;
    if (allowed) return { outcome: 'allow', reason: 'granted', rule: text };
    if (text !== null) return refuse('blocked', text);
    return refuse(specialServices.has(service) || subscribed.has(`s:${service}`) ? 'no-grant' : 'no-subscription');
  }

  /** Remembers a question's answer. All three parts are of known shape by now, so that no two questions share a key. */
  function recall(question: Question): Decision {
    const key = `${question.person}|${question.service}|${question.action}`;
    const known = memory.get(key);
    if (known) return known;
    if (memory.size >= maxRemembered) memory.clear();
    const decision = enforce(question);
    memory.set(key, decision);
    return decision;
  }

  return {
    domain,
    facts,
    ...boundsAround(facts, now),
    judge(question) {
      const standing = facts.people.get(question.person);
      // Strangers hear the same of a closed, a foreign and an invented organisation, and never reach Casbin or the memory.
      if (standing === undefined) return refuse('not-a-member');
      if (facts.open !== true) return refuse('organisation-closed');
      if (standing !== 'active') return refuse('person-inactive');
      return recall(question);
    },
    remembered: () => memory.size,
  };
}

/** Everybody is a stranger to an organisation without people. It may well be an invented one, so nothing is built for it. */
function rightsOfNobody(domain: Domain, facts: Facts): Rights {
  return {
    domain,
    facts,
    validFrom: Number.NEGATIVE_INFINITY,
    validUntil: Number.POSITIVE_INFINITY,
    judge: () => refuse('not-a-member'),
    remembered: () => 0,
  };
}

/** The last and the next moment at which a rule starts or ends. */
function boundsAround(facts: Facts, now: number): { validFrom: number; validUntil: number } {
  let validFrom = Number.NEGATIVE_INFINITY;
  let validUntil = Number.POSITIVE_INFINITY;
  for (const { startsAt, endsAt } of facts.rules) {
    for (const time of [startsAt, endsAt]) {
      if (time === null) continue;
      if (time > now) validUntil = Math.min(validUntil, time);
      else validFrom = Math.max(validFrom, time);
    }
  }
  return { validFrom, validUntil };
}
