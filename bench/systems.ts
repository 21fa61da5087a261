import { existsSync } from 'node:fs';
import { faultsOf, gateFaults, identityFaults, peerFaults, readSeen } from './checks.ts';
import type { Contender } from './contenders.ts';
import type { Account, County } from './gateway.ts';
import { forSeconds, load, type Slot, type Target, type Visit } from './load.ts';
import { loadCore, type Running, start, systemCore } from './processes.ts';

/** What a contender's program says when it is ready. */
export type Ready = {
  port: number;
  /** Whose processor time and memory count, if not its own. */
  pid?: number;
  /** Of ours: who is signed in, who could sign in, and where its people and rules are kept. */
  visits?: readonly Visit[];
  accounts?: readonly Account[];
  county?: County;
  /** Of a gated peer: the one session there is. */
  peer?: { user: string; cookie: string; host: string };
};

/** A contender that runs, and what is asked of it; `upstream` is the port of the one that answers. */
export type System = { contender: Contender; ready: Ready; pid: number; target: Target; upstream: number };

const impostor = 'SOMEBODY-ELSE';

/**
 * Starts every process, and refuses a gateway that does not gate. All systems are asked for the same pages with the same bytes, but
 * for the host and the cookie of a gated peer's only session.
 * @param running gets what was started, also when something fails
 */
export async function startSystems(rows: readonly Contender[], running: Running<unknown>[], pinned: boolean): Promise<System[]> {
  refuseMissing(rows);
  console.log('Preparing: the largest of ours has 2,000 organisations.');
  async function run({ program, args = [], ours }: Pick<Contender, 'program' | 'args' | 'ours'>, origin: string, cores: string) {
    const on = pinned ? cores : null;
    const one = ours
      ? await start<Ready>(program, [origin, ...args, ...(on ? ['--cores', on] : [])], null)
      : await start<Ready>(program, [origin, ...args], on);
    running.push(one);
    return one;
  }
  const behind = await run({ program: 'upstream.ts' }, '', loadCore);
  const origin = `http://127.0.0.1:${behind.ready.port}`;
  const starting = rows.map(async contender => {
    const { ready, pid } = await run(contender, origin, contender.bothCores ? `${loadCore},${systemCore}` : systemCore);
    return { contender, ready, pid: ready.pid ?? pid, upstream: contender.alone ? ready.port : behind.ready.port };
  });
  // Whatever becomes of one, the others must be there to be stopped.
  await Promise.allSettled(starting);
  const started = await Promise.all(starting);
  const visits = started.find(({ ready }) => ready.visits)?.ready.visits ?? [];
  const systems = started.map(one => ({ ...one, target: { port: one.ready.port, visits: visitsTo(one.ready, visits) } }));
  for (const { contender, ready, target, upstream } of systems) {
    const faults = ready.visits ? await gateFaults(target, upstream) : ready.peer ? await peerFaults(target) : [];
    refuse(faults.map(fault => `${contender.name}: ${fault}`));
  }
  return systems;
}

/** An ungated system passes on what the client says of itself. */
function visitsTo({ visits, peer }: Ready, others: readonly Visit[]): Visit[] {
  return (visits ?? others).map(({ user, service, path, headers }) => ({
    ...(visits ? { user, service } : { user: peer?.user ?? impostor }),
    path,
    headers: { ...headers, ...(peer && { host: peer.host, cookie: peer.cookie }), 'remote-user': impostor },
  }));
}

function refuseMissing(rows: readonly Contender[]): void {
  const missing = rows.flatMap(({ debian }) => (debian && !existsSync(debian.program) ? debian.packages.split(' ') : []));
  if (missing.length === 0) return;
  throw new Error(`These peers are not all installed:\n  apt-get install ${[...new Set(missing)].join(' ')}`);
}

// A process that has rested gives memory back, and costs twice as much for most of a second afterwards.
const UNCOUNTED_SECONDS = 1;

/** One system's turn. Throws at the first thing that would make its figures mean nothing. */
export async function measureSlot(system: System, seconds: number): Promise<Slot> {
  await load(system.target, { until: forSeconds(UNCOUNTED_SECONDS) });
  return measureUntil(system, () => forSeconds(seconds));
}

/** The same for as long as that takes, each connection resting so long after an answer. */
export async function measureUntil(system: System, begin: () => Promise<unknown>, pauseMs = 0): Promise<Slot> {
  const { contender, target, pid, upstream } = system;
  const before = await readSeen(upstream);
  const slot = await load(target, { until: begin(), pid, pauseMs });
  // A peer may close a kept-alive connection when it likes, Apache does now and then, and its visitor asks again.
  const lost = contender.debian && slot.lost * 100 < slot.requests ? 0 : slot.lost;
  refuse([...faultsOf(contender.name, { ...slot, lost }), ...identityFaults(contender.name, slot.users, before, await readSeen(upstream))]);
  return slot;
}

function refuse(faults: string[]): void {
  if (faults.length > 0) throw new Error(['These figures would mean nothing:', ...faults].join('\n  '));
}
