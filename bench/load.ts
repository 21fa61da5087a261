import { createHistogram } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import { cpuOf, memoryOf } from './processes.ts';
import { BrokenTalk, requestOf, talk } from './talk.ts';

/** Somebody's GET, and what a gateway must tell the upstream: who is asking, for which service. */
export type Visit = { user: string; service?: string | undefined; path: string; headers: Record<string, string> };
/** Where the requests of the bench go, one visitor after the other. */
export type Target = { port: number; visits: readonly Visit[] };

/** What one system did in its slot of one round. Latencies in ms; processor time and memory (at its end) are those of its whole process tree. */
export type Slot = Counted & { seconds: number; cpuMs: number | null; pssMiB: number | null };

type Counted = {
  requests: number;
  statuses: Record<string, number>;
  /** How many requests of each user were answered. */
  users: Record<string, number>;
  errors: number;
  lastError: string;
  timeouts: number;
  /** Requests that were sent, and whose connection ended before the answer was whole. */
  lost: number;
  p50: number;
  p99: number;
};

export const connections = 50;

/** How long, as a promise that settles then; whose processor time; and how long each connection rests after an answer. */
export type Loading = { until: Promise<unknown>; pid?: number | null; pauseMs?: number };

export const forSeconds = (seconds: number): Promise<void> => wait(seconds * 1000);

/** Sends GET after GET on every connection. Those under way at the end are waited for. */
export async function load({ port, visits }: Target, { until, pid = null, pauseMs = 0 }: Loading): Promise<Slot> {
  const requests = visits.map(({ path, headers }) => requestOf('GET', path, headers));
  const tally = createTally(visits);
  let over = false;
  let turn = 0;

  async function lane(): Promise<void> {
    let which = 0;
    const next = () => {
      if (over) return null;
      which = turn++ % requests.length;
      return requests[which]!;
    };
    while (!over) {
      await talk(port, { next, answered: (status, ms) => tally.answered(which, status, ms), pauseMs }).catch(tally.broken);
    }
  }

  const cpuBefore = pid === null ? null : cpuOf(pid);
  const began = performance.now();
  const lanes = Array.from({ length: connections }, lane);
  await until;
  over = true;
  await Promise.all(lanes);
  const seconds = (performance.now() - began) / 1000;
  const cpuAfter = pid === null ? null : cpuOf(pid);
  return {
    ...{ ...tally.counted(), seconds },
    cpuMs: cpuBefore === null || cpuAfter === null ? null : cpuAfter - cpuBefore,
    pssMiB: pid === null ? null : memoryOf(pid),
  };
}

function createTally(visits: readonly Visit[]) {
  const microseconds = createHistogram();
  const answers = visits.map(() => 0);
  const statuses: Record<string, number> = {};
  const faults = { errors: 0, timeouts: 0, lost: 0, lastError: '' };
  return {
    answered(which: number, status: string, ms: number): void {
      statuses[status] = (statuses[status] ?? 0) + 1;
      answers[which]! += 1;
      microseconds.record(Math.max(1, Math.round(ms * 1000)));
    },
    async broken(error: unknown): Promise<void> {
      if (!(error instanceof BrokenTalk)) throw error;
      faults[error.kind] += 1;
      if (error.kind === 'errors') faults.lastError = error.message;
      // What fails at once would otherwise be asked for as fast as it fails.
      await wait(10);
    },
    counted(): Counted {
      const users: Record<string, number> = {};
      for (const [which, { user }] of visits.entries()) users[user] = (users[user] ?? 0) + answers[which]!;
      const [p50, p99] = [microseconds.percentile(50) / 1000, microseconds.percentile(99) / 1000];
      return { ...{ requests: microseconds.count, statuses, users }, ...faults, p50, p99 };
    },
  };
}
