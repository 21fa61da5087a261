import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';

/** A process of the bench: what it said when it was ready, and its id. It ends with this process, or with `stop()`. */
export type Running<Ready> = { ready: Ready; pid: number; stop(): Promise<void> };

/** The load and what lies behind the systems share one core, the system under test has the other. */
export const loadCore = '0';
export const systemCore = '1';

/** Whether processes can be kept on a core each. */
export const canPin = (): boolean => availableParallelism() > 1 && spawnSync('taskset', ['-c', systemCore, 'true']).status === 0;

/** Keeps this process, and what it starts from now on, on these cores. */
export function pinThis(cores: string): void {
  const { status } = spawnSync('taskset', ['-a', '-c', '-p', cores, String(process.pid)]);
  if (status !== 0) throw new Error(`this process cannot be kept on ${cores}`);
}

/** Starts a program of this folder, on some cores if asked, and waits for its first message. Throws if it ends before. */
export async function start<Ready>(file: string, args: readonly string[], cores: string | null): Promise<Running<Ready>> {
  const node = [process.execPath, fileURLToPath(new URL(file, import.meta.url)), ...args];
  const [program, ...rest] = cores === null ? node : ['taskset', '-c', cores, ...node];
  const child = spawn(program!, rest, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const ready = await Promise.race([once(child, 'message').then(([message]) => message as Ready), endsEarly(file, child)]);
  return {
    ready,
    pid: child.pid!,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
    },
  };
}

async function endsEarly(file: string, child: ChildProcess): Promise<never> {
  const [code, signal] = await once(child, 'exit');
  throw new Error(`bench/${file} ended before it was ready (${signal ?? `exit code ${code}`})`);
}

// The kernel counts in ticks of 1/100 s (USER_HZ) on every platform that Node runs on.
const TICK_MS = 10;

/** Processor time, user and system, of a process and all that descend from it, in ms. Null where there is no /proc. */
export function cpuOf(pid: number): number | null {
  if (process.platform !== 'linux') return null;
  return treeOf(pid).reduce((sum, one) => sum + one.ticks, 0) * TICK_MS;
}

/** The memory of the same processes in MiB; what several of them share is counted once (PSS). Null where there is no /proc. */
export function memoryOf(pid: number): number | null {
  if (process.platform !== 'linux') return null;
  return treeOf(pid).reduce((sum, one) => sum + pssOf(one.pid), 0);
}

function pssOf(pid: number): number {
  try {
    return Number(/^Pss:\s+([0-9]+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1] ?? 0) / 1024;
  } catch {
    return 0; // ended while we were reading
  }
}

function treeOf(pid: number): { pid: number; parent: number; ticks: number }[] {
  const all = readdirSync('/proc').flatMap(name => (/^[0-9]+$/.test(name) ? statOf(name) : []));
  const tree = new Set([pid]);
  for (let before = 0; before < tree.size; ) {
    before = tree.size;
    for (const one of all) if (tree.has(one.parent)) tree.add(one.pid);
  }
  return all.filter(one => tree.has(one.pid));
}

/** proc(5): after the name, which may contain anything, come state, parent, …, utime, stime, and both of the children already gone. */
function statOf(pid: string): { pid: number; parent: number; ticks: number }[] {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return []; // ended while we were reading
  }
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return [{ pid: Number(pid), parent: Number(fields[1]), ticks }];
}
