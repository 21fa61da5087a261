import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Question } from '#policies/decision.ts';
import { createFreshCache } from '#policies/fresh-cache.ts';
import { createPolicies, type Policies } from '#policies/policies.ts';
import { factsOf } from '#store/facts.ts';
import type { Reader } from '#store/tables.ts';
import { type CountySize, servicesOf } from './county.ts';

// What the policies of a county cost in this process: memory, and microseconds of the wall clock.

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const heapMiB = () => {
  collect();
  collect();
  return process.memoryUsage().heapUsed / 2 ** 20;
};

export function countyPolicies(db: Reader, size: CountySize, now: () => number): Policies {
  const services = new Set(servicesOf(size));
  return createPolicies({
    factsOf: domain => factsOf(db, domain),
    service: id => (services.has(id) ? { live: () => true } : undefined),
    now,
    onFault: fault => console.error(fault),
  });
}

export type PolicyCosts = {
  buildMs: number[];
  coldUs: number[];
  coldCpuUs: number;
  hotUs: number;
  hotCpuUs: number;
  memoryMiB: number;
  changeUs: number[];
  leftover: number;
  enforcers: number;
};

/** Touches every organisation, asks each 100 questions nobody asked before and then the same again, changes some, and asks for invented names. */
export async function measurePolicies(db: Reader, size: CountySize): Promise<PolicyCosts> {
  const members = await db.selectFrom('memberships').select(['organisation_id', 'person_id']).orderBy('organisation_id').execute();
  const people = Map.groupBy(members, row => row.organisation_id);
  const services = servicesOf(size);
  const before = heapMiB();
  const policies = countyPolicies(db, size, Date.now);
  const buildMs: number[] = [];
  for (const [organisation, [first]] of people) {
    buildMs.push(await timed(() => policies.decide({ person: first!.person_id, organisation, service: services[0]!, action: 'use' })));
  }
  const coldUs: number[] = [];
  const questions = [...people].flatMap(([organisation, rows]) =>
    Array.from({ length: 100 }, (_, index) => {
      const person = rows[1 + (index % (rows.length - 1))]!.person_id;
      return { person, organisation, service: services[(index * 7) % services.length]!, action: 'use' as const };
    }),
  );
  const coldCpuUs = processorUs(() => {
    for (const question of questions) {
      const began = performance.now();
      decideNow(policies, question);
      coldUs.push((performance.now() - began) * 1000);
    }
  });
  const memoryMiB = heapMiB() - before;
  const began = performance.now();
  const hotCpuUs = processorUs(() => {
    for (let round = 0; round < 5; round++) for (const question of questions) decideNow(policies, question);
  });
  const hotUs = ((performance.now() - began) * 1000) / (5 * questions.length);
  const leftover = await askInvented(policies, questions[0]!);
  const processor = { coldCpuUs: coldCpuUs / questions.length, hotCpuUs: hotCpuUs / (5 * questions.length) };
  return {
    buildMs,
    coldUs,
    hotUs,
    ...processor,
    memoryMiB,
    changeUs: await measureChanges(policies, [...people.keys()]),
    leftover,
    enforcers: people.size,
  };
}

async function askInvented(policies: Policies, question: Question): Promise<number> {
  const before = policies.sizes();
  for (let stranger = 1e9; stranger < 1e9 + 20_000; stranger++) {
    await policies.decide({ ...question, organisation: stranger });
    await policies.decide({ ...question, person: stranger });
    await policies.decide({ ...question, service: `invented-${stranger}` });
  }
  const after = policies.sizes();
  return after.enforcers - before.enforcers + after.remembered - before.remembered + after.loading;
}

/** What a grant change does to this process: one organisation's enforcer and one person's sessions are dropped, among 20,000 sessions. */
async function measureChanges(policies: Policies, organisations: readonly number[]): Promise<number[]> {
  const sessions = createFreshCache<string, { person: number }>({
    load: async key => ({ person: Number(key) % 15_000 }),
    max: 40_000,
    ownersOf: ({ person }) => [String(person)],
  });
  await Promise.all(Array.from({ length: 20_000 }, (_, number) => sessions.get(String(number))));
  return organisations.map(organisation => {
    const began = performance.now();
    policies.changed(`o:${organisation}`);
    sessions.dropOf(String(organisation));
    return (performance.now() - began) * 1000;
  });
}

/** For an organisation whose enforcer is there; with one that is not, the figure would be that of the store. */
function decideNow(policies: Policies, question: Question): void {
  if (policies.decide(question) instanceof Promise) throw new Error('an enforcer is missing');
}

function processorUs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

async function timed(work: () => unknown): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}
