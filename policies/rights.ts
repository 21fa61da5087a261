import { type Action, type Decision, type Domain, type Facts, type Question, refuse, specialServices } from './decision.ts';
import { buildEnforcer } from './enforcer.ts';
import { checkTimes, holdsAt, ruleText } from './rules.ts';

/** What one domain's rules say, true from `validFrom` up to but not including `validUntil` unless the rules change. */
export type Rights = {
  people: Facts['people'];
  asOf: number;
  validFrom: number;
  validUntil: number;
  /** How much they weigh in memory, counted in people and rules. */
  weight: number;
  /** Decides by membership, then by Casbin. The service must be one that exists and is open: that is not looked at here. */
  judge(question: Question): Decision;
  remembered(): number;
};

/** What a domain weighs besides its people and rules. */
const ownWeight = 20;
/** How many answers are remembered for each person and rule; with one more all are forgotten, and Casbin is asked again. */
const rememberedEach = 2;

/** Builds the rights of a domain from its facts for the time around `now`. Throws MalformedRuleFault. */
export function buildRights(domain: Domain, { open, people, rules, asOf = 0 }: Facts, now: number): Rights {
  if (people.size === 0) return rightsOfNobody(people, asOf);
  for (const rule of rules) checkTimes(rule);
  const holding = rules.filter(rule => holdsAt(rule, now));
  const weight = ownWeight + people.size + holding.length;
  const decide = createJudge(domain, holding);
  const memory = createMemory(weight * rememberedEach);
  return {
    people,
    asOf,
    weight,
    ...boundsAround(rules, now),
    judge(question) {
      const standing = people.get(question.person);
      // Strangers hear the same of a closed, a foreign and an invented organisation, and never reach Casbin or the memory.
      if (standing === undefined) return notAMember;
      if (open !== true) return organisationClosed;
      if (standing !== 'active') return personInactive;
      return memory.recall(question) ?? memory.keep(question, decide(question));
    },
    remembered: memory.size,
  };
}

// One object for all who hear the same: there may be hundreds of thousands of answers in memory.
const notAMember = Object.freeze(refuse('not-a-member'));
const organisationClosed = Object.freeze(refuse('organisation-closed'));
const personInactive = Object.freeze(refuse('person-inactive'));
const noGrant = Object.freeze(refuse('no-grant'));
const noSubscription = Object.freeze(refuse('no-subscription'));

/** Asks Casbin, and puts its answer in our words. */
function createJudge(domain: Domain, rules: Facts['rules']): (question: Question) => Decision {
  const enforce = buildEnforcer(domain, rules);
  const uses = rules.filter(({ ptype, v }) => ptype === 'p' && v[3] === 'use' && v[4] === 'allow');
  const subscribed = new Set(uses.map(({ v }) => v[2]));
  const byRule = new Map<readonly string[], Decision>();
  return ({ person, service, action }) => {
    const [allowed, rule] = enforce(person, service, action);
    if (rule.length === 0) return specialServices.has(service) || subscribed.has(`s:${service}`) ? noGrant : noSubscription;
    const known = byRule.get(rule);
    if (known) return known;
    const text = ruleText({ ptype: 'p', v: rule });
    const decision = Object.freeze<Decision>(allowed ? { outcome: 'allow', reason: 'granted', rule: text } : refuse('blocked', text));
    byRule.set(rule, decision);
    return decision;
  };
}

type Answers = Record<Action, Map<string, Map<number, Decision>>>;
const noAnswers = (): Answers => ({ use: new Map(), grant: new Map() });

/** Answers by action, service and person: to look one up no key has to be made. */
function createMemory(max: number) {
  let answers = noAnswers();
  let kept = 0;
  return {
    size: () => kept,
    recall: ({ person, service, action }: Question) => answers[action].get(service)?.get(person),
    keep({ person, service, action }: Question, decision: Decision): Decision {
      if (kept >= max) {
        answers = noAnswers();
        kept = 0;
      }
      const ofService = answers[action].get(service) ?? new Map<number, Decision>();
      answers[action].set(service, ofService.set(person, decision));
      kept++;
      return decision;
    },
  };
}

/** Everybody is a stranger to an organisation without people. It may well be an invented one, so nothing is built for it. */
function rightsOfNobody(people: Facts['people'], asOf: number): Rights {
  return {
    people,
    asOf,
    weight: 0,
    validFrom: Number.NEGATIVE_INFINITY,
    validUntil: Number.POSITIVE_INFINITY,
    judge: () => notAMember,
    remembered: () => 0,
  };
}

/** The last and the next moment at which a rule starts or ends. */
function boundsAround(rules: Facts['rules'], now: number): { validFrom: number; validUntil: number } {
  let validFrom = Number.NEGATIVE_INFINITY;
  let validUntil = Number.POSITIVE_INFINITY;
  for (const { startsAt, endsAt } of rules) {
    for (const time of [startsAt, endsAt]) {
      if (time === null) continue;
      if (time > now) validUntil = Math.min(validUntil, time);
      else validFrom = Math.max(validFrom, time);
    }
  }
  return { validFrom, validUntil };
}
