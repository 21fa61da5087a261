import type { Slot } from './load.ts';

/** A median over the rounds, with the least and the most. */
export type Figure = { median: number; min: number; max: number };

export type Figures = {
  name: string;
  requestsPerSecond: Figure;
  p50: Figure;
  p99: Figure;
  /** Processor ms per 1,000 requests; null where it cannot be read. */
  cpu: Figure | null;
  /** MiB of memory; null where it cannot be read. */
  memory: Figure | null;
};

/** One system against another, by round: what a round disturbs it disturbs for both. */
export type Ratio = { name: string; to: string; requestsPerSecond: Figure; cpu: Figure | null };

/** The slots of one system, one for each round. */
export type Measured = { name: string; slots: readonly Slot[] };

const rate = (slot: Slot) => slot.requests / slot.seconds;
const cpuPerThousand = ({ cpuMs, requests }: Slot) => (cpuMs === null ? null : (cpuMs / requests) * 1000);

export function figureOf(values: readonly number[]): Figure {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return { median: (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2, min: sorted[0]!, max: sorted.at(-1)! };
}

const figureOrNull = (values: readonly (number | null)[]): Figure | null =>
  values.every(value => value !== null) ? figureOf(values) : null;

export function figuresOf({ name, slots }: Measured): Figures {
  return {
    name,
    requestsPerSecond: figureOf(slots.map(rate)),
    p50: figureOf(slots.map(slot => slot.p50)),
    p99: figureOf(slots.map(slot => slot.p99)),
    cpu: figureOrNull(slots.map(cpuPerThousand)),
    memory: figureOrNull(slots.map(slot => slot.pssMiB)),
  };
}

export function ratioOf(system: Measured, to: Measured): Ratio {
  const rounds = system.slots.map((slot, round) => {
    const other = to.slots[round]!;
    const [mine, theirs] = [cpuPerThousand(slot), cpuPerThousand(other)];
    return { requests: rate(slot) / rate(other), cpu: mine === null || theirs === null ? null : mine / theirs };
  });
  return {
    ...{ name: system.name, to: to.name },
    requestsPerSecond: figureOf(rounds.map(round => round.requests)),
    cpu: figureOrNull(rounds.map(round => round.cpu)),
  };
}

/** The figures as two Markdown tables, each cell `median (least–most)`. */
export function markdown(figures: readonly Figures[], ratios: readonly Ratio[]): string {
  const whole = (value: number) => Math.round(value).toLocaleString('en-GB');
  const rows = figures.map(({ name, requestsPerSecond, p50, p99, cpu, memory }) =>
    [
      name,
      cell(requestsPerSecond, whole),
      cell(p50, decimals(2)),
      cell(p99, decimals(1)),
      cell(cpu, decimals(1)),
      cell(memory, whole),
    ].join(' | '),
  );
  const ratioRows = ratios.map(ratio =>
    [`${ratio.name} / ${ratio.to}`, cell(ratio.cpu, decimals(2)), cell(ratio.requestsPerSecond, decimals(2))].join(' | '),
  );
  return [
    '| system | requests/s | p50 ms | p99 ms | CPU ms per 1,000 requests | memory MiB |',
    '| --- | --: | --: | --: | --: | --: |',
    ...rows.map(row => `| ${row} |`),
    '',
    '| ratio | CPU | requests/s |',
    '| --- | --: | --: |',
    ...ratioRows.map(row => `| ${row} |`),
  ].join('\n');
}

const decimals = (digits: number) => (value: number) => value.toFixed(digits);

const cell = (figure: Figure | null, show: (value: number) => string): string =>
  figure === null ? 'not read' : `${show(figure.median)} (${show(figure.min)}–${show(figure.max)})`;
