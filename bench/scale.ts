import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openStore, type Store } from '#store/database.ts';
import { searchPeople } from '#store/people-search.ts';
import { type Env, root } from '#tests/command-line-steps.ts';
import { freePort } from '#tests/free-port.ts';
import { startPostgres } from '#tests/servers.ts';
import { type CountySize, fullSize, giveRights, servicesOf, servicesYaml } from './county.ts';
import { compareWithCasbin, kinds } from './county-questions.ts';
import { watchLoop } from './loop-watch.ts';
import { type CountyGateway, pagesOf, type SignedIn, signInAdministrators, startCounty } from './scale-gateway.ts';
import { importBeside, runPortal, writePeopleFile } from './scale-import.ts';
import { countyPolicies, measurePolicies } from './scale-policies.ts';
import { at, beginReport, ms, sayStall } from './scale-report.ts';

/**
 * Builds a county in an empty place, imports it while a gateway runs, and says of each figure what was asked and what was seen. Exit code
 * 1 when one that is not about time is missed: those depend on the machine, and are for a person to read.
 */
const { say, time, must, end } = beginReport();
const running = new Set<CountyGateway>();
const { values } = parseArgs({
  options: {
    postgres: { type: 'boolean', default: false },
    divide: { type: 'string', default: '1' },
    decisions: { type: 'string', default: '1000000' },
  },
});
const size = divided(fullSize, Number(values.divide));
const dir = mkdtempSync(join(tmpdir(), 'portal-county-'));
const server = values.postgres ? await startPostgres() : null;
/** Only organisations, people and grants become fewer: half a service is none. */
function divided({ organisations, people, grants, services }: CountySize, by: number): CountySize {
  return { organisations: Math.round(organisations / by), people: Math.round(people / by), grants: Math.round(grants / by), services };
}

async function measure(databaseUrl: string | null): Promise<void> {
  say(databaseUrl === null ? 'on SQLite' : 'on PostgreSQL');
  const env = placeOf(databaseUrl);
  await importing(env);
  const store = await openStore(databaseUrl === null ? { file: join(dir, 'data', 'portal.sqlite') } : { url: databaseUrl });
  say('giving rights');
  await giveRights(store, size, Date.now());
  await serving(env, store);
  await searching(store);
  await deciding(store);
  await comparing(env, store);
  await store.close();
  if (!end()) process.exitCode = 1;
}

function placeOf(databaseUrl: string | null): Env {
  const catalogue = join(dir, 'services.yaml');
  writeFileSync(catalogue, readFileSync(join(root, 'config/services.yaml'), 'utf8') + servicesYaml(size));
  const elsewhere = databaseUrl === null ? {} : { DATABASE_URL: databaseUrl };
  return { CATALOGUE: catalogue, DATA_DIR: join(dir, 'data'), SESSION_KEYS: Buffer.alloc(32, 1).toString('base64'), ...elsewhere };
}

async function importing(env: Env): Promise<void> {
  const file = join(dir, 'people.csv');
  const rows = writePeopleFile(file, size);
  const gateway = await started(env);
  say(`importing ${rows} rows`);
  const { seconds, cpuMs, linesOfProgress, waits, loop, idleLoop } = await importBeside(gateway, env, file);
  await stopped(gateway);
  time(
    `import of ${size.people} people`,
    '≤ 60 s',
    `${seconds.toFixed(0)} s (processor time ${((cpuMs ?? Number.NaN) / 1000).toFixed(0)} s), ${linesOfProgress} lines of progress`,
  );
  time('a page meanwhile, p99 and longest', '', `${ms(at(waits, 0.99))}, ${ms(at(waits, 1))}`);
  time('longest stall of the gateway meanwhile', '≤ 20 ms', sayStall(loop));
  time('longest stall of a process that did nothing', '', sayStall(idleLoop));
}

async function serving(env: Env, store: Store): Promise<void> {
  say('signing in administrators');
  const signedIn = await signInAdministrators(store, env);
  const gateway = await started(env);
  const { rssMiB, cpuMs } = await gateway.state();
  time('start to ready, and processor time', '≤ 3 s', `${(gateway.readyMs / 1000).toFixed(1)} s, ${(cpuMs / 1000).toFixed(1)} s`);
  must('memory (RSS) after the start', 250, ' MB', mb(rssMiB));
  say('touching every organisation');
  for (const { cookie, organisation } of signedIn) await expectPage(gateway, `/organisations/${organisation}`, cookie);
  must(`memory (RSS) after ${signedIn.length} organisations were touched`, 400, ' MB', mb((await gateway.state()).rssMiB));
  say('opening pages');
  const waits = new Map<string, number[]>();
  for (let index = 0; index < signedIn.length; index += Math.max(1, Math.floor(signedIn.length / 200)))
    await openPages(gateway, signedIn[index]!, waits);
  for (const [page, times] of waits) time(`page "${page}", p50 and p99`, 'p99 ≤ 100 ms', `${ms(at(times, 0.5))}, ${ms(at(times, 0.99))}`);
  time('longest stall of the gateway meanwhile', '≤ 20 ms', sayStall(await gateway.state()));
  await stopped(gateway);
}

async function started(env: Env): Promise<CountyGateway> {
  const gateway = await startCounty(env, await freePort());
  running.add(gateway);
  return gateway;
}

async function stopped(gateway: CountyGateway): Promise<void> {
  running.delete(gateway);
  await gateway.stop();
}

async function openPages(gateway: CountyGateway, who: SignedIn, waits: Map<string, number[]>): Promise<void> {
  for (const [page, path] of Object.entries(pagesOf(who))) {
    const times = waits.get(page) ?? [];
    waits.set(page, times);
    times.push(await expectPage(gateway, path, who.cookie));
  }
}

async function expectPage(gateway: CountyGateway, path: string, cookie: string): Promise<number> {
  const answer = await gateway.get(path, cookie);
  if (answer.status !== 200) throw new Error(`${path} was answered with ${answer.status}`);
  return answer.ms;
}

async function searching({ db }: Store): Promise<void> {
  say('searching');
  const stall = watchLoop();
  const waits: number[] = [];
  for (let round = 0; round < 10; round++) {
    for (const words of ["o'brien", 'zoe smith', 'person77', 'ZSMITH1', 's', 'nobody at all', 'łukasz macleod', '']) {
      const began = performance.now();
      await searchPeople(db, words, 25);
      waits.push(performance.now() - began);
    }
  }
  time(`search in ${size.people} people, p50 and longest`, '≤ 100 ms', `${ms(at(waits, 0.5))}, ${ms(at(waits, 1))}`);
  time('longest stall while searching', '≤ 20 ms', sayStall(stall()));
}

async function deciding({ db }: Store): Promise<void> {
  say('measuring decisions');
  const costs = await measurePolicies(db, size);
  time('a decision with building the enforcer, p50 and p99', '≤ 10 ms', `${ms(at(costs.buildMs, 0.5))}, ${ms(at(costs.buildMs, 0.99))}`);
  time(
    'a cold decision, p50, and mean processor time',
    '≤ 15 µs',
    `${at(costs.coldUs, 0.5).toFixed(1)} µs, ${costs.coldCpuUs.toFixed(1)} µs`,
  );
  time('a hot decision, mean, and processor time', '≤ 1 µs', `${costs.hotUs.toFixed(2)} µs, ${costs.hotCpuUs.toFixed(2)} µs`);
  time(
    'a grant change blocks, p50 and p99',
    '≤ 0.1 ms',
    `${at(costs.changeUs, 0.5).toFixed(1)} µs, ${at(costs.changeUs, 0.99).toFixed(1)} µs`,
  );
  must(`memory of the policies of ${costs.enforcers} organisations`, 100, ' MiB', costs.memoryMiB);
  must('left behind by 60,000 questions with invented names', 0, '', costs.leftover);
}

async function comparing(env: Env, { db }: Store): Promise<void> {
  say('exporting');
  const at = Date.now();
  const csv = await runPortal(env, ['export', '--at', new Date(at).toISOString()]).out;
  const each = Math.ceil(Number(values.decisions) / size.organisations);
  say(`comparing ${each * size.organisations} decisions`);
  // The file is of one instant: a right that ends while it is being compared must not look like a difference.
  const policies = countyPolicies(db, size, () => at);
  const asked = await compareWithCasbin({ db, policies, csv, services: servicesOf(size), each, at });
  console.log(kinds.map(kind => `${kind}: ${asked[kind]}`).join('; '));
  console.log(`allowed ${asked.allowed}, denied ${asked.denied}; the export has ${csv.split('\n').length} lines`);
  for (const difference of asked.differences.slice(0, 10)) console.error(JSON.stringify(difference));
  must(`differences from Casbin's enforceSync in ${asked.allowed + asked.denied} decisions`, 0, '', asked.differences.length);
}

const mb = (mebibytes: number) => (mebibytes * 2 ** 20) / 1e6;

try {
  await measure(server ? await server.freshDatabase() : null);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  for (const gateway of running) await gateway.stop();
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
}
