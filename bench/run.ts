import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import manifest from '../package.json' with { type: 'json' };
import { type Expected, faultsOf, gateFaults, identityFaults, readSeen } from './checks.ts';
import { figuresOf, type Measured, markdown, ratioOf } from './figures.ts';
import { connections, load, type Slot, type Target } from './load.ts';
import { loadCore, pinLoad, type Running, start, systemCore } from './processes.ts';

type Port = { port: number };
type Gateway = Port & Expected & { host: string; path: string };

/** One row of the table: where it is asked, whose processor time counts, and what which upstream must have been told. */
type System = { name: string; target: Target; pid: number; upstream: number; user: string };

const WARM_UP_SECONDS = 1;
const impostor = 'SOMEBODY-ELSE';

try {
  await bench(readOptions());
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

function readOptions() {
  const { values } = parseArgs({
    options: { rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '5' }, json: { type: 'string' } },
  });
  const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)];
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds must be a whole number, 1 or more');
  if (!Number.isInteger(seconds) || seconds < 1) throw new Error('--seconds must be a whole number, 1 or more');
  return { rounds, seconds, json: values.json };
}

async function bench({ rounds, seconds, json }: ReturnType<typeof readOptions>): Promise<void> {
  const machine = describeMachine();
  const pinned = pinLoad();
  const running: Running<unknown>[] = [];
  try {
    const systems = await startSystems(running, pinned ? systemCore : null);
    const measured = await measure(systems, rounds, seconds);
    const [upstream, bare, gateway] = measured as [Measured, Measured, Measured];
    const ratios = [ratioOf(gateway, bare), ratioOf(gateway, upstream), ratioOf(bare, upstream)];
    const figures = measured.map(figuresOf);
    console.log(`\n${markdown(figures, ratios)}\n\n${conditions(pinned, machine.loadAverageBefore)}`);
    const settings = { rounds, seconds, connections, warmUpSeconds: WARM_UP_SECONDS, pinned };
    if (json) writeFileSync(json, `${JSON.stringify({ machine, settings, figures, ratios, measured }, null, 2)}\n`);
  } finally {
    await Promise.all(running.map(one => one.stop()));
  }
}

/** Starts every process, and refuses a gateway that does not gate. All systems are sent the same bytes. */
async function startSystems(running: Running<unknown>[], core: number | null): Promise<System[]> {
  async function run<Ready extends Port>(file: string, args: string[], where: number | null): Promise<Running<Ready>> {
    const one = await start<Ready>(file, args, where);
    running.push(one);
    return one;
  }
  const alone = await run<Port>('upstream.ts', [], core);
  const behind = await run<Port>('upstream.ts', [], core === null ? null : loadCore);
  const origin = `http://127.0.0.1:${behind.ready.port}`;
  const bare = await run<Port>('bare-proxy.ts', [origin], core);
  const gateway = await run<Gateway>('gateway.ts', [origin], core);

  const { host, path, cookie, user } = gateway.ready;
  const headers = { host, accept: 'text/html', cookie, 'remote-user': impostor };
  const system = (name: string, { ready, pid }: Running<Port>, upstream: number, as: string): System => ({
    ...{ name, pid, upstream, user: as, target: { port: ready.port, path, headers } },
  });
  const systems = [
    system('upstream alone', alone, alone.ready.port, impostor),
    system('bare @fastify/http-proxy', bare, behind.ready.port, impostor),
    system('the gateway, signed in', gateway, behind.ready.port, user),
  ];
  refuse((await gateFaults(systems[2]!.target, behind.ready.port, gateway.ready)).map(fault => `the gateway: ${fault}`));
  return systems;
}

/** Round after round over all systems, each round beginning with another one; the first, uncounted round lets the compiler settle. */
async function measure(systems: readonly System[], rounds: number, seconds: number): Promise<Measured[]> {
  const measured = systems.map(({ name }) => ({ name, slots: [] as Slot[] }));
  for (let round = 0; round <= rounds; round++) {
    for (let turn = 0; turn < systems.length; turn++) {
      const index = (round + turn) % systems.length;
      const slot = await measureSlot(systems[index]!, seconds);
      const said = `${systems[index]!.name}: ${Math.round(slot.requests / slot.seconds)} requests/s`;
      console.log(round === 0 ? `warm-up, ${said}` : `round ${round} of ${rounds}, ${said}`);
      if (round > 0) measured[index]!.slots.push(slot);
    }
  }
  return measured;
}

async function measureSlot({ name, target, pid, upstream, user }: System, seconds: number): Promise<Slot> {
  refuse(faultsOf(name, await load(target, WARM_UP_SECONDS, null)));
  const before = await readSeen(upstream);
  const slot = await load(target, seconds, pid);
  refuse([...faultsOf(name, slot), ...identityFaults(name, user, slot.requests, before, await readSeen(upstream))]);
  return slot;
}

function refuse(faults: string[]): void {
  if (faults.length > 0) throw new Error(['These figures would mean nothing:', ...faults].join('\n  '));
}

/** What a reader needs to judge the figures; nothing that names the machine. */
function describeMachine() {
  const { fastify, '@fastify/http-proxy': httpProxy, undici, casbin } = manifest.dependencies;
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    platform: `${process.platform} ${process.arch}`,
    loadAverageBefore: loadavg()[0] ?? 0,
    versions: {
      node: process.version,
      fastify,
      '@fastify/http-proxy': httpProxy,
      undici,
      casbin,
      autocannon: manifest.devDependencies.autocannon,
    },
  };
}

function conditions(pinned: boolean, loadAverage: number): string {
  const cores = pinned
    ? `Load generator and upstream on core ${loadCore}, the system under test on core ${systemCore}.`
    : 'Not pinned (that needs taskset and two cores): the systems share their cores with the load generator.';
  if (process.platform !== 'linux') return `${cores} Processor time is read from /proc, which this platform does not have.`;
  return `${cores} Load average before the run: ${loadAverage.toFixed(1)}; above 0.5, the machine was doing other work too.`;
}
