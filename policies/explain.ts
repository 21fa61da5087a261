import type { Decision, Facts, Question, Rule, ServiceState } from './decision.ts';
import { findNearMisses, type NearMiss } from './near-misses.ts';
import { holdsAt, ruleText } from './rules.ts';
import { capitalise, dayOf, type Named, type Names, nameAll, sayReason, sayRole } from './sentences.ts';

/** A rule that took part in a decision; its id leads to who made it and when. */
export type ExplainedRule = { id: number; text: string; startsAt: number | null; endsAt: number | null };

export type Explanation = {
  question: Question;
  decision: Decision;
  /** Milliseconds: the instant the decision is true for. */
  at: number;
  /** Plain words for people who run the portal; the first one is the answer. */
  sentences: string[];
  /** The rules that decided: policy rules first, then the roles that led to them. */
  rules: ExplainedRule[];
  nearMisses: NearMiss[];
  /** The next moment at which the answer may change by itself; null if only somebody's act can change it. */
  validUntil: number | null;
};

export type Explained = {
  question: Question;
  decision: Decision;
  now: number;
  names: Names;
  /** The facts it was decided on, and until when they say the same; left out when they could not be read. */
  known?: { facts: Facts; validUntil: number };
  service?: ServiceState | undefined;
};

/** Puts a decision in words. It looks for the rules behind a decision already made and decides nothing itself. */
export function explainDecision({ question, decision, now, names, known, service }: Explained): Explanation {
  const named = nameAll(question, names);
  const rules = known?.facts.rules ?? [];
  const deciding = findDeciding(rules, question, decision, now);
  const near = known && decision.outcome === 'deny' ? findNearMisses(rules, question, decision, now, named) : [];
  const opensAt = service?.opensAt ?? null;
  return {
    question,
    decision,
    at: now,
    sentences: [
      sayReason(question, decision, named, opensAt),
      ...sayWhy(deciding, question, decision, named),
      ...near.map(miss => miss.sentence),
    ].map(capitalise),
    rules: [...deciding.policies, ...deciding.roles].map(rule => ({
      id: rule.id,
      text: ruleText(rule),
      startsAt: rule.startsAt,
      endsAt: rule.endsAt,
    })),
    nearMisses: near,
    validUntil: earliest([known?.validUntil ?? null, opensAt !== null && opensAt > now ? opensAt : null]),
  };
}

type Deciding = { policies: Rule[]; roles: Rule[] };

function findDeciding(rules: readonly Rule[], question: Question, decision: Decision, now: number): Deciding {
  const holding = rules.filter(rule => holdsAt(rule, now));
  const policies = holding.filter(rule => rule.ptype === 'p' && ruleText(rule) === decision.rule);
  const role = policies[0]?.v[0];
  const roles = holding.filter(rule => rule.ptype === 'g' && rule.v[0] === `u:${question.person}` && rule.v[1] === role);
  return { policies, roles };
}

function sayWhy({ policies, roles }: Deciding, question: Question, decision: Decision, named: Named): string[] {
  if (decision.outcome !== 'allow') return [];
  const role = roles[0]?.v[1];
  const ends = earliest([latestEnd(policies), roles.length > 0 ? latestEnd(roles) : null]);
  return [
    role === undefined ? `A rule names ${named.person} directly.` : sayRole(role, question, named),
    ...(ends === null ? [] : [`This ends on ${dayOf(ends - 1)}.`]),
  ];
}

/** When the last of rules that all say the same runs out; null if one of them never does. */
function latestEnd(rules: readonly Rule[]): number | null {
  return rules.some(rule => rule.endsAt === null) ? null : Math.max(...rules.map(rule => rule.endsAt ?? 0));
}

function earliest(times: readonly (number | null)[]): number | null {
  const known = times.filter(time => time !== null).filter(Number.isFinite);
  return known.length === 0 ? null : Math.min(...known);
}
