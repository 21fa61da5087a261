import { createHistogram } from 'node:perf_hooks';
import autocannon from 'autocannon';
import { cpuOf, memoryOf } from './processes.ts';

/** Where a request of the bench goes: the same bytes for every system. */
export type Target = { port: number; path: string; headers: Record<string, string> };

/** What one system did in its slot of one round. Latencies in ms; processor time and memory (at its end) are those of its whole process tree. */
export type Slot = {
  requests: number;
  seconds: number;
  statuses: Record<string, number>;
  errors: number;
  timeouts: number;
  /** Requests that were sent and neither answered nor on their way when the slot ended. */
  lost: number;
  p50: number;
  p99: number;
  cpuMs: number | null;
  pssMiB: number | null;
};

export const connections = 50;

/** Sends GET after GET on every connection for a number of seconds, each as soon as the one before is answered. */
export async function load({ port, path, headers }: Target, seconds: number, pid: number | null): Promise<Slot> {
  // autocannon's own histogram knows whole milliseconds only.
  const microseconds = createHistogram();
  const cpuBefore = pid === null ? null : cpuOf(pid);
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    const options = { url: `http://127.0.0.1:${port}${path}`, connections, duration: seconds, headers };
    const run = autocannon(options, (error, done) => (error ? reject(error) : resolve(done)));
    run.on('response', (_client, _status, _bytes, ms) => microseconds.record(Math.max(1, Math.round(ms * 1000))));
  });
  const cpuAfter = pid === null ? null : cpuOf(pid);
  const { requests, errors, timeouts } = result;
  return {
    ...{ requests: requests.total, seconds: result.duration, statuses: countStatuses(result), errors, timeouts },
    // A connection closed in the middle of an answer is opened again by autocannon without a word: only this sum shows it.
    lost: Math.max(0, requests.sent - requests.total - connections),
    p50: microseconds.percentile(50) / 1000,
    p99: microseconds.percentile(99) / 1000,
    cpuMs: cpuBefore === null || cpuAfter === null ? null : cpuAfter - cpuBefore,
    pssMiB: pid === null ? null : memoryOf(pid),
  };
}

function countStatuses({ statusCodeStats = {} }: autocannon.Result): Record<string, number> {
  return Object.fromEntries(Object.entries(statusCodeStats).map(([status, stat]) => [status, stat?.count ?? 0]));
}
