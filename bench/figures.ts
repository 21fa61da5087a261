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

/** The most or the least a figure may be; neither, if it is only to be looked at. */
export type Limit = { most?: number; least?: number };
/** What is asked of a system: how it stands to another one, or how much memory it has. */
export type Goal = Limit & ({ of: 'cpu' | 'requests'; to: string } | { of: 'memory' });
/** What was asked, and what was seen: null where it cannot be read. */
export type Result = Limit & { what: string; seen: Figure | null };

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

const readings = { cpu: cpuPerThousand, requests: rate, memory: (slot: Slot) => slot.pssMiB };

/** One system against another, by round: what a round disturbs it disturbs for both. */
export function ratioOf(system: Measured, to: Measured, of: keyof typeof readings): Figure | null {
  const ratios = system.slots.map((slot, round) => {
    const [mine, theirs] = [readings[of](slot), readings[of](to.slots[round]!)];
    return mine === null || theirs === null ? null : mine / theirs;
  });
  return figureOrNull(ratios);
}

/** How a system stands to its goals, without those whose other system was not measured. */
export function resultsOf(system: Measured, goals: readonly Goal[], all: readonly Measured[]): Result[] {
  return goals.flatMap(goal => {
    if (goal.of === 'memory') return { ...goal, what: `memory of ${system.name}, MiB`, seen: figuresOf(system).memory };
    const other = all.find(({ name }) => name === goal.to);
    if (!other) return [];
    const unit = { cpu: 'CPU', requests: 'requests/s' }[goal.of];
    return { ...goal, what: `${unit}: ${system.name} / ${other.name}`, seen: ratioOf(system, other, goal.of) };
  });
}

/** Whether the median is beyond the limit. What cannot be read is not missed. */
export const isMissed = ({ seen, most, least }: Result): boolean =>
  seen !== null && (seen.median > (most ?? Number.POSITIVE_INFINITY) || seen.median < (least ?? Number.NEGATIVE_INFINITY));
