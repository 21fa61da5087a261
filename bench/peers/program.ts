import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '#tests/free-port.ts';
import { stopProgram } from '#tests/servers.ts';

/** A peer from Debian: its program, how its configuration reads for a port and a folder of its own, and where that is named. */
export type Peer = {
  program: string;
  config(port: number, dir: string): string;
  args(configFile: string, dir: string): string[];
  /** Its folder, if it has one already, and a server that it needs beside it: both go with it. */
  dir?: string;
  beside?: ChildProcess;
};

/** Runs a peer as a child of this process until the runner goes away; resolves with its port when that accepts connections. */
export async function runPeer({ program, config, args, dir = mkdtempSync(join(tmpdir(), 'portal-peer-')), beside }: Peer): Promise<number> {
  const port = await freePort();
  const file = join(dir, 'peer.conf');
  writeFileSync(file, config(port, dir));
  const child = spawn(program, args(file, dir), { stdio: ['ignore', 'ignore', 'inherit'] });
  child.once('error', () => fail(`${program} cannot be run`));
  child.once('exit', code => fail(`${program} ended with ${code}`));
  // Also when what follows fails.
  process.once('exit', () => child.kill('SIGTERM'));
  process.once('disconnect', async () => {
    child.removeAllListeners('exit');
    for (const one of beside ? [child, beside] : [child]) await stopProgram(one, 'SIGTERM');
    rmSync(dir, { recursive: true, force: true });
    process.exit(0);
  });
  while (!(await accepts(port))) await new Promise(resolve => setTimeout(resolve, 50));
  return port;
}

function fail(why: string): never {
  console.error(why);
  process.exit(1);
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
