import cluster, { type Worker } from 'node:cluster';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { OperatorFault } from '#config/operator-fault.ts';

export class WorkerFault extends OperatorFault {
  override name = 'WorkerFault';
}

export type Workers = {
  /** Resolves with a worker's welcome when every one of them answers; rejects with WorkerFault when one ends before it ever did. */
  ready: Promise<string>;
  /** Has every worker read its catalogue again. */
  reload(): void;
  /** Lets every worker stop as a gateway does, and resolves when all have ended. */
  close(): Promise<void>;
};

const SLOT = 'PORTAL_WORKER';
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 30_000;
const SETTLED_MS = 60_000;

/**
 * Keeps so many processes of the gateway running; each is a whole one, and they share nothing but the port. Who ends is followed by
 * another, after a pause that doubles for as long as they do not last.
 */
export function startWorkers(count: number, say: (sentence: string) => void): Workers {
  const stopping = new AbortController();
  const { signal: told } = stopping;
  const answering = new Set<number>();
  const slots: Promise<void>[] = [];
  // Workers accept for themselves, whoever is free. Handed out in turn, a connection on its way to a worker that is killed would be
  // neither answered nor closed, and each would cost the first process more than it costs to judge a request.
  cluster.schedulingPolicy = cluster.SCHED_NONE;
  cluster.setupPrimary({ exec: fileURLToPath(new URL('./main.ts', import.meta.url)), args: [] });

  async function runOne(slot: number, onReady: (welcome: string) => void): Promise<{ how: string; lastedMs: number }> {
    const began = performance.now();
    let worker: Worker;
    try {
      worker = cluster.fork({ [SLOT]: String(slot) });
    } catch (error) {
      // What Node does not tell by an event, such as a want of memory.
      return { how: (error as Error).message, lastedMs: 0 };
    }
    // It says nothing else, and that only once.
    worker.once('message', (welcome: string) => {
      answering.add(worker.id);
      onReady(welcome);
    });
    const how = await endOf(worker);
    answering.delete(worker.id);
    return { how, lastedMs: performance.now() - began };
  }

  async function keepOne(slot: number, { resolve, reject }: PromiseWithResolvers<string>): Promise<void> {
    let everReady = false;
    let pauseMs = FIRST_PAUSE_MS;
    while (!told.aborted) {
      const { how, lastedMs } = await runOne(slot, welcome => {
        everReady = true;
        resolve(welcome);
      });
      if (told.aborted) break;
      if (!everReady) return reject(new WorkerFault(`The gateway stops, because a worker ended before it was ready (${how}).`));
      if (lastedMs > SETTLED_MS) pauseMs = FIRST_PAUSE_MS;
      say(`A worker ended (${how}): another one is started.`);
      await wait(pauseMs, null, { signal: told }).catch(() => {});
      pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
    }
  }

  function addSlot(): Promise<string> {
    const ready = Promise.withResolvers<string>();
    slots.push(keepOne(slots.length, ready));
    return ready.promise;
  }

  async function startAll(): Promise<string> {
    // The first one alone: what is wrong is then said once, and the tables are made by one.
    const welcome = await addSlot();
    await Promise.all(Array.from({ length: count - 1 }, addSlot));
    return welcome;
  }

  return {
    ready: startAll(),
    reload() {
      for (const worker of Object.values(cluster.workers ?? {})) if (worker && answering.has(worker.id)) worker.process.kill('SIGHUP');
    },
    async close() {
      stopping.abort();
      // Not by signal: a terminal or a service manager may have sent them one already, and a second one means "at once".
      for (const worker of Object.values(cluster.workers ?? {})) {
        if (worker && answering.has(worker.id)) worker.send('stop');
        else worker?.process.kill();
      }
      await Promise.all(slots);
    },
  };
}

/** How it ended. What goes wrong with one that runs, such as a word to it as it goes, is no end; one that could not be started has no other. */
function endOf(worker: Worker): Promise<string> {
  return new Promise(resolve => {
    worker.once('exit', (code: number, signal: string | null) => resolve(signal ?? `exit code ${code}`));
    worker.on('error', (error: Error) => {
      if (worker.process.pid === undefined) resolve(error.message);
    });
  });
}

/** Whether this process is one of several that another one looks after. */
export const isWorker = (): boolean => cluster.isWorker;

/** Which of them it is, from 0, by its environment; who follows one that ended is the same. 0 also for a process that is alone. */
export const workerSlot = (env: NodeJS.ProcessEnv): number => (cluster.isWorker ? Number(env[SLOT]) : 0);

/** In a worker: says that it answers, and calls `stop` when it is told to. */
export function joinWorkers(welcome: string, stop: () => void): void {
  process.on('message', word => {
    if (word === 'stop') stop();
  });
  cluster.worker?.send(welcome);
}
