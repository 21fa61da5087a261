import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runCommand } from '#gateway/commands/commands.ts';
import { columns } from '#gateway/commands/people-file.ts';
import { openStore, type Store } from '#store/database.ts';

export const root = fileURLToPath(new URL('..', import.meta.url));
export const productionCatalogue = 'config/services.yaml';

export type Ended = { code: number | null; out: string; err: string };
export type Env = Record<string, string>;

/** One command in this process, as the entry file calls it. */
export async function portal(env: Env, args: string[], now: () => number = Date.now): Promise<Ended> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCommand(args, { env, now, print: line => void out.push(line), complain: line => void err.push(line) });
  return { code, out: out.join('\n'), err: err.join('\n') };
}

/** Another program of the project, through the guard for old Nodes, with nothing in its environment but what is given. */
export async function run(env: Env, program: string, args: string[] = [], node = [process.execPath]): Promise<Ended> {
  const [runtime = '', ...flags] = node;
  const child = spawn(runtime, [...flags, 'config/check-node.mjs', program, ...args], {
    cwd: root,
    env: { PATH: process.env.PATH, ...env },
  });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const ended: Ended = { code: null, out: '', err: '' };
  child.stdout.on('data', chunk => (ended.out += chunk));
  child.stderr.on('data', chunk => (ended.err += chunk));
  [ended.code] = await once(child, 'close');
  process.off('exit', kill);
  return ended;
}

export type Place = { dir: string; env: Env };

/** An empty place with its settings, for an installation that is not the demo. */
export function emptyPlace(databaseUrl?: string): Place {
  const dir = mkdtempSync(join(tmpdir(), 'portal-command-'));
  const elsewhere = databaseUrl ? { DATABASE_URL: databaseUrl, SESSION_KEYS: Buffer.alloc(32, 1).toString('base64') } : {};
  return { dir, env: { CATALOGUE: join(root, productionCatalogue), DATA_DIR: join(dir, 'data'), ...elsewhere } };
}

export type PersonCells = Partial<Record<(typeof columns)[number], string>>;

/** A people.csv in the folder; what a row leaves out is empty, except that it belongs to First School. */
export function writePeople(dir: string, people: PersonCells[], name = 'people.csv'): string {
  const quote = (text: string) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const first = { organisation_code: 'S1', organisation_name: 'First School' };
  const lines = people.map(cells => columns.map(column => quote({ ...first, ...cells }[column as 'email'] ?? '')).join(','));
  const file = join(dir, name);
  writeFileSync(file, [columns.join(','), ...lines, ''].join('\n'));
  return file;
}

export const jane: PersonCells = {
  source_id: '2',
  user_id: 'JSMITH12',
  first_name: 'Jane',
  last_name: 'Smith',
  email: 'j.smith@first.example',
};
export const alice: PersonCells = {
  source_id: '1',
  first_name: 'Alice',
  last_name: 'Admin',
  email: 'alice@first.example',
  administrator: 'yes',
};

/** A look into the store of a place, and at times a hand in it. */
export async function withStore<T>({ env }: Place, work: (store: Store) => Promise<T>): Promise<T> {
  const where = env.DATABASE_URL ? { url: env.DATABASE_URL } : { file: join(env.DATA_DIR!, 'portal.sqlite') };
  const store = await openStore(where);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

export const linksIn = (text: string): string[] => text.match(/https:\/\/portal\.hants\.gov\.uk\/set-password\?token=[\w-]{43}/g) ?? [];
export const tokenOf = (link: string | undefined): string => new URL(link ?? '').searchParams.get('token') ?? '';
