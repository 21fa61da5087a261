import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'undici';
import type { Store } from '#store/database.ts';
import { setAdminSeen } from '#store/step-up.ts';
import { type Env, root } from '#tests/command-line-steps.ts';
import { asStarted } from '#tests/gateway-process.ts';
import type { LoopState } from './loop-watch.ts';
import { portalHost, portionsOf, signInAll } from './visitors.ts';

/** The gateway of a county, in a process of its own as `npm start` runs it, and how to ask it. */
export type CountyGateway = {
  readyMs: number;
  /** The longest stall since the last call, and its memory now. */
  state(): Promise<LoopState>;
  get(path: string, cookie?: string): Promise<{ status: number; ms: number }>;
  stop(): Promise<void>;
};

export async function startCounty(env: Env, port: number): Promise<CountyGateway> {
  const began = performance.now();
  const child = spawn(process.execPath, ['--import', './bench/loop-watch.ts', ...asStarted], {
    cwd: root,
    env: { PATH: process.env.PATH, ...env, PORT: String(port), LOG_LEVEL: 'error' },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  await untilReady(child);
  const readyMs = performance.now() - began;
  return {
    readyMs,
    state: () => stateOf(child),
    async get(path, cookie = '') {
      const asked = performance.now();
      const headers = { host: portalHost, cookie, accept: 'text/html', 'x-forwarded-proto': 'https' };
      const { statusCode, body } = await request(`http://127.0.0.1:${port}${path}`, { headers });
      await body.dump();
      return { status: statusCode, ms: performance.now() - asked };
    },
    async stop() {
      process.off('exit', kill);
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}

/** A process that watches its event loop and does nothing else: what any process of the machine has to wait now. */
export function startIdle(): Pick<CountyGateway, 'state' | 'stop'> {
  const child = spawn(process.execPath, ['--import', './bench/loop-watch.ts', '-e', 'setInterval(() => {}, 60_000)'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  return {
    state: () => stateOf(child),
    async stop() {
      process.off('exit', kill);
      const ended = once(child, 'exit');
      kill();
      await ended;
    },
  };
}

async function stateOf(child: ChildProcess): Promise<LoopState> {
  child.send('state');
  const [state] = await once(child, 'message');
  return state as LoopState;
}

async function untilReady(child: ChildProcess): Promise<void> {
  let said = '';
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', chunk => {
      said += chunk;
      if (/is ready/.test(said)) resolve();
    });
    child.once('exit', code => reject(new Error(`the gateway ended with ${code}: ${said}`)));
  });
}

export type SignedIn = { organisation: number; person: number; colleague: number; cookie: string };

/** Signs in the administrator of every organisation, their code just given. */
export async function signInAdministrators(store: Store, env: Env): Promise<SignedIn[]> {
  const everybody = await store.db.selectFrom('memberships').select(['organisation_id', 'person_id']).orderBy('person_id').execute();
  const members = Map.groupBy(everybody, row => row.organisation_id);
  const appointed = await store.db
    .selectFrom('rules')
    .select(['v0', 'domain'])
    .where('v1', '=', 'r:organisation-admin')
    .where('ptype', '=', 'g')
    .execute();
  const administrators = appointed.map(({ v0, domain }) => {
    return { person: Number(v0.slice(2)), organisation: Number(domain.slice(2)), kind: 'registered' as const };
  });
  const sessions = await signInAll(store, env, portalHost, administrators);
  for (const some of portionsOf(sessions)) {
    await store.change(async tx => {
      for (const { session } of some) await setAdminSeen(tx, session, Date.now());
    });
  }
  return administrators.map(({ person, organisation }, index) => {
    const colleague = members.get(organisation)?.find(row => row.person_id !== person)?.person_id ?? person;
    return { organisation, person, colleague, cookie: sessions[index]!.cookie };
  });
}

/** The pages an administrator opens, each by its name. */
export const pagesOf = ({ organisation, colleague }: SignedIn): Record<string, string> => ({
  hub: `/organisations/${organisation}`,
  'manage users': `/organisations/${organisation}/people`,
  search: `/organisations/${organisation}/people?q=smith`,
  'manage user access': `/organisations/${organisation}/people/${colleague}`,
  'register a user': `/organisations/${organisation}/people/new`,
  'remove a user': `/organisations/${organisation}/people/${colleague}/remove`,
  'security phone': '/security-phone',
});
