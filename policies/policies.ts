import {
  type Decision,
  type Domain,
  domainOf,
  type Facts,
  type Question,
  readQuestion,
  refuse,
  type ServiceState,
  specialServices,
} from './decision.ts';
import { type Explanation, explainDecision } from './explain.ts';
import { createFreshCache } from './fresh-cache.ts';
import { buildRights, type Rights } from './rights.ts';
import type { Names } from './sentences.ts';

export type PoliciesDeps = {
  /** Reads all facts of a domain in one consistent read; a domain that does not exist has no people and no rules. */
  factsOf(domain: Domain): Promise<Facts>;
  service(id: string): ServiceState | undefined;
  now(): number;
  /** How many people and rules are kept in memory at most, those of all organisations together. */
  maxWeight?: number;
  /** Hears why a question could not be judged; the person is refused meanwhile. */
  onFault?(fault: unknown, domain: Domain): void;
};

export type Policies = {
  /** Judges at once if the organisation's rules are in memory, else after reading them. Never throws and never rejects. */
  decide(question: Question): Decision | Promise<Decision>;
  /** Allows if any of these services may be used: for pages that several services share. */
  anyServiceOn(question: Omit<Question, 'service' | 'action'> & { services: readonly string[] }): Promise<Decision>;
  /**
   * Rules, subscriptions or membership of a domain changed: no question asked from now on is judged by what was read before. With the
   * number of the change, what already knows of it stays: a change may be heard of more than once.
   */
  changed(domain: Domain | 'all', change?: number): void;
  /** A person was activated or deactivated. */
  personChanged(person: number, change?: number): void;
  /** The decision in words, with the rules behind it. */
  explain(question: Question, names?: Names): Promise<Explanation>;
  sizes(): { enforcers: number; weight: number; loading: number; remembered: number };
};

const maxRuns = 3;
// Twice what a county of 2,000 organisations and 120,000 people weighs, since the cache promises to keep half; about 100 bytes each.
const mostWeight = 1_500_000;

/** Builds the one place where rights are decided. Deny beats allow; what nothing allows, or cannot be known, is denied. */
export function createPolicies(deps: PoliciesDeps): Policies {
  const cache = createFreshCache<Domain, Rights>({
    load: async domain => buildRights(domain, await deps.factsOf(domain), deps.now()),
    max: deps.maxWeight ?? mostWeight,
    weigh: rights => rights.weight,
    // An organisation nobody belongs to may be an invented one: remembering it would let anybody fill the memory.
    keep: rights => rights.people.size > 0,
  });

  function current(rights: Rights): boolean {
    const now = deps.now();
    return rights.validFrom <= now && now < rights.validUntil;
  }

  async function readRights(domain: Domain, first: Rights | Promise<Rights>): Promise<Rights> {
    let rights = await first;
    for (let runs = 0; runs < maxRuns; runs++) {
      if (current(rights)) return rights;
      cache.discard(domain, rights);
      rights = await cache.get(domain);
    }
    throw new Error('rules started or ended every time while they were being read');
  }

  /** Refuses what the catalogue does not offer. Access may be prepared before a service opens, but not once it is archived. */
  function refuseService({ service, action }: Question): Decision | null {
    if (specialServices.has(service)) return null;
    const state = deps.service(service);
    if (!state) return refuse('service-unknown');
    const now = deps.now();
    if (state.live(now) || (action === 'grant' && opensLater(state, now))) return null;
    return refuse('service-not-open');
  }

  function fail(fault: unknown, domain: Domain): Decision {
    deps.onFault?.(fault, domain);
    return refuse('rights-not-known');
  }

  async function judgeLater(question: Question, domain: Domain, first: Rights | Promise<Rights>): Promise<Decision> {
    try {
      return (await readRights(domain, first)).judge(question);
    } catch (fault) {
      return fail(fault, domain);
    }
  }

  function decide(asked: Question): Decision | Promise<Decision> {
    const question = readQuestion(asked);
    if (!question) return refuse('rights-not-known');
    const domain = domainOf(question.organisation);
    try {
      const refusal = refuseService(question);
      if (refusal) return refusal;
      const rights = cache.get(domain);
      if (rights instanceof Promise || !current(rights)) return judgeLater(question, domain, rights);
      return rights.judge(question);
    } catch (fault) {
      return fail(fault, domain);
    }
  }

  async function anyServiceOn({ services, ...who }: Parameters<Policies['anyServiceOn']>[0]): Promise<Decision> {
    let refusal: Decision | null = null;
    for (const service of services) {
      const decision = await decide({ ...who, service, action: 'use' });
      if (decision.outcome === 'allow') return { ...decision, reason: 'shared-page' };
      refusal ??= decision;
    }
    return refusal ?? refuse('no-grant');
  }

  /** Reads the facts again, because only what decides is kept in memory: not the rules that ended or have not started. */
  async function explain(asked: Question, names: Names = {}): Promise<Explanation> {
    const now = deps.now();
    const question = readQuestion(asked);
    if (!question) return explainDecision({ question: asked, decision: refuse('rights-not-known'), now, names });
    const domain = domainOf(question.organisation);
    try {
      const facts = await deps.factsOf(domain);
      const rights = buildRights(domain, facts, now);
      const decision = refuseService(question) ?? rights.judge(question);
      const known = { facts, validUntil: rights.validUntil };
      return explainDecision({ question, decision, now, names, known, service: deps.service(question.service) });
    } catch (fault) {
      return explainDecision({ question, decision: fail(fault, domain), now, names });
    }
  }

  return {
    decide,
    anyServiceOn,
    changed(domain, change = Number.POSITIVE_INFINITY) {
      if (domain === 'all') cache.dropAll();
      else cache.drop(domain, rights => rights.asOf < change);
    },
    personChanged: (person, change = Number.POSITIVE_INFINITY) =>
      cache.dropWhere((_domain, rights) => rights.asOf < change && rights.people.has(person)),
    explain,
    sizes() {
      let remembered = 0;
      for (const rights of cache.values()) remembered += rights.remembered();
      return { enforcers: cache.size(), weight: cache.weight(), loading: cache.loading(), remembered };
    },
  };
}

function opensLater({ opensAt }: ServiceState, now: number): boolean {
  return opensAt !== null && opensAt !== undefined && opensAt > now;
}
