import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Env, root } from './command-line-steps.ts';

const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: { start: string; portal: string } };
/** What `npm start` gives to Node, and what `npm run portal` does. */
export const [, ...asStarted] = scripts.start.split(' ');
export const [, ...asCommanded] = scripts.portal.split(' ');

/** Starts a gateway in a process of its own, as `npm start` does, and waits until it says that it is ready. */
export async function startGateway(env: Env): Promise<ChildProcess> {
  const child = spawn(process.execPath, asStarted, {
    cwd: root,
    env: { PATH: process.env.PATH, ...env },
  });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  let said = '';
  await new Promise<void>((resolve, reject) => {
    const hear = (chunk: Buffer) => {
      said += chunk;
      if (/^The Services Portal (demo )?is ready/m.test(said)) resolve();
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.once('exit', code => reject(new Error(`The gateway ended with ${code}: ${said}`)));
  });
  return child;
}

/** Ends it as an operator would, or as a power cut would. */
export async function stopGateway(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}
