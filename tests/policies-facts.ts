import type { Domain, Facts, Rule, ServiceState } from '#policies/decision.ts';
import { createPolicies } from '#policies/policies.ts';

export const noon = Date.UTC(2019, 2, 4, 12);
export const day = 86_400_000;

let lastId = 0;

/** A rule from its Casbin line, such as "g, u:42, r:efs, o:7". */
export function rule(line: string, times: { startsAt?: number; endsAt?: number } = {}): Rule {
  const [ptype, ...v] = line.split(', ');
  return { id: ++lastId, ptype: ptype as Rule['ptype'], v, startsAt: times.startsAt ?? null, endsAt: times.endsAt ?? null };
}

/** The rules every organisation begins with, and its subscriptions to services its administrators may give. */
export function organisationRules(domain: Domain, services: readonly string[]): Rule[] {
  return [
    rule(`p, r:organisation-admin, ${domain}, s:organisation-admin, use, allow`),
    rule(`p, r:organisation-admin, ${domain}, s:organisation-admin, grant, allow`),
    ...services.flatMap(service => [
      rule(`p, r:${service}, ${domain}, s:${service}, use, allow`),
      rule(`p, r:organisation-admin, ${domain}, s:${service}, grant, allow`),
    ]),
  ];
}

export function facts(rules: Rule[], people: Record<number, 'active' | 'inactive'> = {}, open = true): Facts {
  return { open, rules, people: new Map(Object.entries(people).map(([id, standing]) => [Number(id), standing])) };
}

const nobody: Facts = { open: false, people: new Map(), rules: [] };

/** Policies over facts that a test may replace at any time, with a clock it moves and every fault collected. */
export function policiesOver(domains: Partial<Record<Domain, Facts>>, options: { maxWeight?: number } = {}) {
  const world = {
    now: noon,
    domains,
    faults: [] as unknown[],
    reads: 0,
    services: new Map<string, ServiceState>(['efs', 'anycomms', 'hias'].map(id => [id, { live: () => true, opensAt: null }])),
    factsOf: async (domain: Domain): Promise<Facts> => world.domains[domain] ?? nobody,
  };
  const policies = createPolicies({
    factsOf: domain => {
      world.reads++;
      return world.factsOf(domain);
    },
    service: id => world.services.get(id),
    now: () => world.now,
    onFault: fault => world.faults.push(fault),
    ...options,
  });
  return { world, policies };
}
