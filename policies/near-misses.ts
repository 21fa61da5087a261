import type { Decision, Question, Rule } from './decision.ts';
import { holdsAt, ruleText } from './rules.ts';
import { dayOf, type Named } from './sentences.ts';

/** A rule that would have helped but does not: it ended, has not started, or lacks its other half. */
export type NearMiss = { rule: { id: number; text: string }; why: 'ended' | 'not-started' | 'alone'; sentence: string };

/** Finds, for a refusal, what would have allowed it at another time or together with something else. */
export function findNearMisses(rules: readonly Rule[], question: Question, decision: Decision, now: number, named: Named): NearMiss[] {
  if (decision.reason !== 'no-grant' && decision.reason !== 'no-subscription') return [];
  const subscriptions = rules.filter(rule => allows(rule, question));
  const roles = new Set(subscriptions.map(rule => rule.v[0]));
  if (question.action === 'use') roles.add(`r:${question.service}`);
  const grants = rules.filter(rule => rule.ptype === 'g' && rule.v[0] === `u:${question.person}` && roles.has(rule.v[1]));
  const misses = [
    ...subscriptions.map(rule => missedInTime(rule, now, `The right of ${named.organisation} to ${named.service}`)),
    ...grants.map(rule => missedInTime(rule, now, sayGiven(rule, question, named))),
    ...(subscriptions.some(rule => holdsAt(rule, now)) ? [] : grants.map(rule => leftAlone(rule, now, named))),
  ];
  return misses.filter(miss => miss !== null);
}

function allows(rule: Rule, question: Question): boolean {
  return rule.ptype === 'p' && rule.v[2] === `s:${question.service}` && rule.v[3] === question.action && rule.v[4] === 'allow';
}

function missedInTime(rule: Rule, now: number, what: string): NearMiss | null {
  if (holdsAt(rule, now)) return null;
  const cited = { id: rule.id, text: ruleText(rule) };
  if (rule.startsAt !== null && rule.startsAt > now) {
    return { rule: cited, why: 'not-started', sentence: `${what} starts on ${dayOf(rule.startsAt)}.` };
  }
  return { rule: cited, why: 'ended', sentence: `${what} ended on ${dayOf((rule.endsAt ?? now) - 1)}.` };
}

function leftAlone(rule: Rule, now: number, named: Named): NearMiss | null {
  if (!holdsAt(rule, now)) return null;
  const sentence = `${named.person} was given it, which has no effect while ${named.organisation} does not have it.`;
  return { rule: { id: rule.id, text: ruleText(rule) }, why: 'alone', sentence };
}

function sayGiven(rule: Rule, question: Question, { person, organisation, service }: Named): string {
  if (rule.v[1] === 'r:organisation-admin') return `The appointment of ${person} as an administrator of ${organisation}`;
  if (question.organisation === 'council') return `The council role of ${person}`;
  return `The access of ${person} to ${service} at ${organisation}`;
}
