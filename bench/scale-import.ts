import { spawn } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { columns } from '#gateway/commands/people-file.ts';
import { type Env, root } from '#tests/command-line-steps.ts';
import { asCommanded } from '#tests/gateway-process.ts';
import { type CountySize, peopleRows } from './county.ts';
import type { LoopState } from './loop-watch.ts';
import { cpuOf } from './processes.ts';
import { type CountyGateway, startIdle } from './scale-gateway.ts';

const SETTLING_TURNS = 500;

export type Imported = {
  seconds: number;
  /** Processor time of the command; null where it cannot be read. */
  cpuMs: number | null;
  linesOfProgress: number;
  /** Milliseconds that each page of the gateway took meanwhile. */
  waits: number[];
  /** The gateway's event loop meanwhile. */
  loop: LoopState;
  /** That of a process that did nothing. */
  idleLoop: LoopState;
};

/** Writes the county's people.csv, a row at a time: to keep it in memory is to collect it while others are measured. Returns how many. */
export function writePeopleFile(file: string, size: CountySize): number {
  const quoted = (value: string) => `"${value.replaceAll('"', '""')}"`;
  const out = openSync(file, 'w');
  let rows = 0;
  writeSync(out, `${columns.join(',')}\n`);
  for (const row of peopleRows(size)) {
    writeSync(out, `${columns.map(column => quoted(row[column])).join(',')}\n`);
    rows += 1;
  }
  closeSync(out);
  return rows;
}

/** The whole file through the command, as the council's operators would, while the gateway answers. */
export async function importBeside(gateway: CountyGateway, env: Env, file: string): Promise<Imported> {
  // What a start leaves behind has been collected by then.
  for (let turn = 0; turn < SETTLING_TURNS; turn += 1) await gateway.get('/sign-in');
  await gateway.state();
  const idle = startIdle();
  try {
    await idle.state();
    const began = performance.now();
    const { waits, cpuMs, out } = await openPagesBeside(gateway, runPortal(env, ['import', file, '--apply']));
    const seconds = (performance.now() - began) / 1000;
    const linesOfProgress = out.match(/rows (checked|written)\.$/gm)?.length ?? 0;
    const [loop, idleLoop] = await Promise.all([gateway.state(), idle.state()]);
    return { seconds, cpuMs, linesOfProgress, waits, loop, idleLoop };
  } finally {
    // As long as it lives, so does this process.
    await idle.stop();
  }
}

async function openPagesBeside(gateway: CountyGateway, command: ReturnType<typeof runPortal>) {
  const waits: number[] = [];
  let cpuMs: number | null = null;
  let over = false;
  async function openPages() {
    while (!over) {
      waits.push((await gateway.get('/sign-in')).ms);
      cpuMs = cpuOf(command.pid) || cpuMs;
      await pause(50);
    }
  }
  const done = command.out.finally(() => {
    over = true;
  });
  const [out] = await Promise.all([done, openPages()]);
  return { waits, cpuMs, out };
}

/** Runs a command of the portal, for what it prints. Rows for a human to look at are none of our making, so that is a fault too. */
export function runPortal(env: Env, args: string[]): { pid: number; out: Promise<string> } {
  const child = spawn(process.execPath, [...asCommanded, ...args], {
    cwd: root,
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', chunk => chunks.push(chunk));
  const out = new Promise<string>((resolve, reject) => {
    child.once('close', code => {
      const printed = Buffer.concat(chunks).toString();
      if (code === 0) resolve(printed);
      else reject(new Error(`${args[0]} ended with ${code}: ${printed.slice(0, 500)}`));
    });
  });
  return { pid: child.pid!, out };
}
