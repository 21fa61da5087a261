import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createHashing } from '#gateway/sign-in/hashing.ts';
import type { Store } from '#store/database.ts';
import { setPassword } from '#store/identities.ts';
import { applyImport } from '#store/import-people.ts';
import { type Env, productionCatalogue, root, withStore } from '#tests/command-line-steps.ts';
import { freePort } from '#tests/free-port.ts';
import { startGateway, stopGateway } from '#tests/gateway-process.ts';
import { startPostgres } from '#tests/servers.ts';
import { type CountySize, giveRights, peopleRows, servicesYaml } from './county.ts';
import type { Visit } from './load.ts';
import { pinThis } from './processes.ts';
import type { Ready } from './systems.ts';
import { visitsOf } from './visitors.ts';

export type Account = { email: string; password: string };
/** Where its people and rules can be read, also by another process. */
export type County = { env: Env; size: CountySize };

/**
 * One of ours: a gateway as `npm start` runs it, in a process of its own, with a county of that many organisations, and people of
 * them who are signed in.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    organisations: { type: 'string', default: '1' },
    'people-each': { type: 'string', default: '60' },
    workers: { type: 'string', default: '1' },
    'access-log': { type: 'boolean', default: false },
    cores: { type: 'string' },
  },
});
const [upstream = ''] = positionals;
const organisations = Number(values.organisations);
const inhabitants = organisations * Number(values['people-each']);
const size: CountySize = { organisations, people: inhabitants, grants: inhabitants * 4, services: 50 };
const VISITORS = 200;
const ACCOUNTS = 64;

const dir = mkdtempSync(join(tmpdir(), 'portal-bench-'));
// Several processes share a database server; one has its own file.
const server = values.workers === '1' ? null : await startPostgres();
const port = await freePort();
const env = await settings();
const people = await furnish();
if (values.cores) pinThis(values.cores);
const gateway = await startGateway(env);

process.send?.({ port, pid: gateway.pid!, ...people, county: { env, size } } satisfies Ready);
process.once('disconnect', async () => {
  await stopGateway(gateway);
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
  process.exit(0);
});
// Ctrl+C reaches the whole group; the data folder is removed when the runner has gone.
process.on('SIGINT', () => {});

async function settings(): Promise<Env> {
  const catalogue = readFileSync(join(root, productionCatalogue), 'utf8').replace(/(upstream: )http:\S+/g, `$1${upstream}`);
  const [CATALOGUE, DATA_DIR] = [join(dir, 'services.yaml'), join(dir, 'data')];
  writeFileSync(CATALOGUE, catalogue + servicesYaml(size));
  mkdirSync(DATA_DIR);
  return {
    ...{ CATALOGUE, DATA_DIR, PORT: String(port), LOG_LEVEL: 'error', WORKERS: values.workers },
    SESSION_KEYS: Buffer.alloc(32, 1).toString('base64'),
    ...(server && { DATABASE_URL: await server.freshDatabase() }),
    ...(values['access-log'] && { ACCESS_LOG: join(dir, 'access.log') }),
  };
}

/** The county with its people's rights, some of them signed in, and a password for its administrators. */
function furnish(): Promise<{ visits: Visit[]; accounts: Account[] }> {
  return withStore({ dir, env }, async store => {
    const importing = { now: Date.now(), sealKey: Buffer.alloc(32), linkAddress: null, invitationMs: 1 };
    await applyImport(store, [...peopleRows(size)], importing);
    await giveRights(store, size, Date.now());
    return { visits: await visitsOf(store, env, size, VISITORS), accounts: await accountsOf(store) };
  });
}

/** A hash for everybody: to make one costs as much as to check one. */
async function accountsOf(store: Store): Promise<Account[]> {
  const password = 'correct horse battery staple';
  const hash = await createHashing().hash(password);
  const registered = await store.db.selectFrom('identities').select(['person_id', 'subject']).where('kind', '=', 'registered').execute();
  const some = registered.slice(0, ACCOUNTS);
  await store.change(async tx => {
    for (const { person_id } of some) await setPassword(tx, person_id, hash, Date.now());
  });
  return some.map(({ subject: email }) => ({ email, password }));
}
