import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Contender, contenders, county, hundred, ours, workers } from './contenders.ts';
import { type Figures, figuresOf, type Measured, type Result, resultsOf } from './figures.ts';
import { connections, type Slot } from './load.ts';
import { describeMachine, sentences } from './machine.ts';
import { drawPlot } from './plot.ts';
import { canPin, loadCore, pinThis, type Running, start, systemCore } from './processes.ts';
import { measureRevocations } from './revocations.ts';
import { measureSignIns } from './sign-ins.ts';
import { measureSlot, type System, startSystems } from './systems.ts';
import { resultsTable, systemsTable } from './tables.ts';

const CHANGES_EACH_ROUND = 20;

/**
 * Measures every contender, decisions, sign-ins and rights that are taken away, and says how they stand to what is asked: tables, a plot,
 * and JSON for whoever wants more.
 */
try {
  await bench(readOptions());
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      peers: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      json: { type: 'string' },
      svg: { type: 'string' },
    },
  });
  const { quick, peers, json } = values;
  const [rounds, seconds] = [Number(values.rounds ?? (quick ? 2 : 5)), Number(values.seconds ?? (quick ? 1 : 5))];
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds must be a whole number, 1 or more');
  if (!Number.isInteger(seconds) || seconds < 1) throw new Error('--seconds must be a whole number, 1 or more');
  // The picture in the README is not one of a minute and a half.
  const svg = values.svg ?? (quick ? null : fileURLToPath(new URL('cost.svg', import.meta.url)));
  return { rounds, seconds, peers, json, svg, peopleEach: quick ? 10 : 60 };
}

async function bench({ rounds, seconds, peers, json, svg, peopleEach }: ReturnType<typeof readOptions>): Promise<void> {
  const rows = contenders(peopleEach).filter(({ debian }) => peers || !debian);
  const machine = describeMachine(rows.flatMap(({ debian }) => debian?.packages.split(' ') ?? []));
  const pinned = canPin();
  const running: Running<unknown>[] = [];
  try {
    const systems = await startSystems(rows, running, pinned);
    if (pinned) pinThis(loadCore);
    const measured = await measure(systems, rounds, seconds);
    const named = (name: string) => systems.find(({ contender }) => contender.name === name)!;
    const figures = measured.map(figuresOf);
    const goals = measured.flatMap((one, index) => resultsOf(one, rows[index]!.goals, measured));
    const decisions = [];
    for (const name of [hundred, county]) decisions.push(...(await decide(named(name), { rounds, seconds: seconds / 3, pinned })));
    const signIns = await measureSignIns(named(hundred), rounds, seconds);
    const revocations = [
      await measureRevocations(named(ours), CHANGES_EACH_ROUND * rounds, 50),
      await measureRevocations(named(workers), CHANGES_EACH_ROUND * rounds, 1_100),
    ];

    const run = `${new Date().toISOString().slice(0, 10)}, ${rounds} rounds of ${seconds} s, ${connections} connections, ${peopleEach} people in each organisation.`;
    const conditions = sentences(machine, pinned, run);
    const results = { compared: goals, 'decisions a second': decisions, '64 sign-ins at once': signIns, 'a right taken away': revocations };
    const tables = Object.entries(results).map(([what, rows]) => resultsTable(what, rows));
    console.log(['', systemsTable(figures), ...tables, conditions].join('\n\n'));
    const settings = { rounds, seconds, connections, peopleEach, pinned };
    if (json)
      writeFileSync(json, `${JSON.stringify({ machine, settings, figures, goals, decisions, signIns, revocations, measured }, null, 2)}\n`);
    if (svg) writeFileSync(svg, plotOf(figures, rows, run));
  } finally {
    await Promise.all(running.map(one => one.stop()));
  }
}

/** Round after round over all systems, each round beginning with another one; the first, uncounted round lets the compiler settle. */
async function measure(systems: readonly System[], rounds: number, seconds: number): Promise<Measured[]> {
  const measured = systems.map(({ contender: { name } }) => ({ name, slots: [] as Slot[] }));
  for (let round = 0; round <= rounds; round++) {
    for (let turn = 0; turn < systems.length; turn++) {
      const index = (round + turn) % systems.length;
      const slot = await measureSlot(systems[index]!, seconds);
      const said = `${measured[index]!.name}: ${Math.round(slot.requests / slot.seconds)} requests/s`;
      console.log(round === 0 ? `warm-up, ${said}` : `round ${round} of ${rounds}, ${said}`);
      if (round > 0) measured[index]!.slots.push(slot);
    }
  }
  return measured;
}

async function decide({ contender, ready }: System, how: { rounds: number; seconds: number; pinned: boolean }): Promise<Result[]> {
  console.log(`decisions, ${contender.name}`);
  const { ready: results, stop } = await start<Result[]>(
    'decisions.ts',
    [JSON.stringify({ ...ready.county, ...how })],
    how.pinned ? systemCore : null,
  );
  await stop();
  return results;
}

function plotOf(figures: readonly Figures[], rows: readonly Contender[], run: string): string {
  const bars = figures.flatMap(({ name, cpu }, index) => (cpu ? [{ name, figure: cpu, ours: rows[index]!.ours ?? false }] : []));
  const title = 'Processor time for 1,000 requests, in milliseconds';
  return drawPlot({ title, description: `Bars are medians, lines across their ends go from the least to the most. ${run}`, bars });
}
