import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import manifest from '../package.json' with { type: 'json' };
import { figuresOf, type Measured, markdown, ratioOf } from './figures.ts';
import { connections, type Slot } from './load.ts';
import { loadCore, pinLoad, type Running, systemCore } from './processes.ts';
import { measureSlot, names, type System, startSystems } from './systems.ts';

/** What is asked of the gateway is how it stands to each of these, and of the gate in front of Apache how it stands to the gateway. */
const asked: readonly [string, string][] = [
  [names.gateway, names.bare],
  [names.gateway, names.alone],
  [names.bare, names.alone],
  [names.gateway, names.nginx],
  [names.gateway, names.nginxAsks],
  [names.apacheAsks, names.gateway],
  [names.apache, names.gateway],
  [names.lemonldap, names.gateway],
];

try {
  await bench(readOptions());
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '5' },
      json: { type: 'string' },
      peers: { type: 'boolean', default: false },
    },
  });
  const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)];
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds must be a whole number, 1 or more');
  if (!Number.isInteger(seconds) || seconds < 1) throw new Error('--seconds must be a whole number, 1 or more');
  return { rounds, seconds, json: values.json, peers: values.peers };
}

async function bench({ rounds, seconds, json, peers }: ReturnType<typeof readOptions>): Promise<void> {
  const machine = describeMachine();
  const pinned = pinLoad();
  const running: Running<unknown>[] = [];
  try {
    const systems = await startSystems(running, pinned ? systemCore : null, peers);
    const measured = await measure(systems, rounds, seconds);
    const named = (name: string) => measured.find(one => one.name === name);
    const ratios = asked.flatMap(([one, to]) => {
      const [system, other] = [named(one), named(to)];
      return system && other ? [ratioOf(system, other)] : [];
    });
    const figures = measured.map(figuresOf);
    console.log(`\n${markdown(figures, ratios)}\n\n${conditions(pinned, machine.loadAverageBefore)}`);
    const settings = { rounds, seconds, connections, pinned };
    if (json) writeFileSync(json, `${JSON.stringify({ machine, settings, figures, ratios, measured }, null, 2)}\n`);
  } finally {
    await Promise.all(running.map(one => one.stop()));
  }
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
