import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fastify from 'fastify';
import { request } from 'undici';
import { readSettings } from '#config/settings.ts';
import { addCookies } from '#gateway/cookies.ts';
import { loadKeys } from '#gateway/keys.ts';
import type { Store } from '#store/database.ts';
import { startSession } from '#store/sessions.ts';
import { setAdminSeen } from '#store/step-up.ts';
import { type Env, root } from '#tests/command-line-steps.ts';
import type { LoopState } from './loop-watch.ts';

/** The gateway of a county, in a process of its own as `npm start` runs it, and how to ask it. */
export type CountyGateway = {
  readyMs: number;
  /** The longest stall since the last call, and its memory now. */
  state(): Promise<LoopState>;
  get(path: string, cookie?: string): Promise<{ status: number; ms: number }>;
  stop(): Promise<void>;
};

const portal = 'portal.hants.gov.uk';

export async function startCounty(env: Env, port: number): Promise<CountyGateway> {
  const began = performance.now();
  const child = spawn(process.execPath, ['--import', './bench/loop-watch.ts', 'config/check-node.mjs', 'gateway/main.ts'], {
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
    async state() {
      child.send('state');
      const [state] = await once(child, 'message');
      return state as LoopState;
    },
    async get(path, cookie = '') {
      const asked = performance.now();
      const headers = { host: portal, cookie, accept: 'text/html', 'x-forwarded-proto': 'https' };
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

/** Signs in the administrator of every organisation, their code just given, as the store and the cookies of this place have it. */
export async function signInAdministrators(store: Store, env: Env): Promise<SignedIn[]> {
  const settings = readSettings(env);
  const app = fastify();
  const cookies = await addCookies(app, loadKeys(settings).session, true, settings.absoluteHours * 3600);
  app.get('/:token', (asked, reply) => {
    cookies.set(reply, 'session', (asked.params as { token: string }).token);
    return '';
  });
  const everybody = await store.db.selectFrom('memberships').select(['organisation_id', 'person_id']).orderBy('person_id').execute();
  const members = Map.groupBy(everybody, row => row.organisation_id);
  const appointed = await store.db
    .selectFrom('rules')
    .select(['v0', 'domain'])
    .where('v1', '=', 'r:organisation-admin')
    .where('ptype', '=', 'g')
    .execute();
  const signedIn: SignedIn[] = [];
  for (let start = 0; start < appointed.length; start += 200) {
    const portion = appointed
      .slice(start, start + 200)
      .map(({ v0, domain }) => ({ person: Number(v0.slice(2)), organisation: Number(domain.slice(2)) }));
    const tokens = await store.change(async tx => {
      const made = [];
      const now = Date.now();
      for (const who of portion) {
        const { session, token } = await startSession(tx, {
          ...who,
          kind: 'registered',
          host: portal,
          address: '127.0.0.1',
          agent: 'bench',
          now,
        });
        await setAdminSeen(tx, session, now);
        made.push({ ...who, token });
      }
      return made;
    });
    for (const { token, ...who } of tokens) {
      const { headers } = await app.inject(`/${token}`);
      const colleague = members.get(who.organisation)?.find(row => row.person_id !== who.person)?.person_id ?? who.person;
      signedIn.push({ ...who, colleague, cookie: String(headers['set-cookie']).split(';')[0]! });
    }
  }
  await app.close();
  return signedIn;
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
