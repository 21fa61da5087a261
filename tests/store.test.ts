import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { DataDirFault, lockDataDir } from '#store/data-dir.ts';
import { openStore } from '#store/database.ts';
import { isEmailAddress } from '#store/email-address.ts';
import { foldName, subjectKey } from '#store/names.ts';
import { asOpeningFault, OpeningFault } from '#store/opening-fault.ts';
import { addOrganisation } from '#store/organisations.ts';
import { SealBroken, seal, unseal } from '#store/sealing.ts';
import { isBusy } from '#store/sqlite-busy.ts';
import { connectSqlite, connectSqliteHere } from '#store/sqlite-thread.ts';

const dir = mkdtempSync(join(tmpdir(), 'portal-fast-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const now = Date.UTC(2019, 2, 4, 9);
const key = Buffer.alloc(32, 1);
const raw = (sql: string) => ({ sql, parameters: [] }) as never;

test('A24: names are searched without accents, case, apostrophes and hyphens', () => {
  const names = ['O’Brien', "o'brien", 'OBRIEN', 'Zoë', 'de  la Cruz', 'Ben-Ash', 'Łukasz', 'Straße', 'Ødegård', 'مريم', '  Cher '];
  expect(names.map(foldName)).toEqual([
    'obrien',
    'obrien',
    'obrien',
    'zoe',
    'de la cruz',
    'ben ash',
    'lukasz',
    'strasse',
    'odegard',
    'مريم',
    'cher',
  ]);
});

test.each([
  'a@evil.example@ours.example',
  'a@@ours.example',
  '@evil.example@ours.example',
  'a@ours.example@',
  '"a@evil.example"@ours.example',
])('%s is no e-mail address #85', text => expect([isEmailAddress('a@ours.example'), isEmailAddress(text)]).toEqual([true, false]));

test('user IDs are compared without case, width or surrounding space #84', () => {
  expect([' JSmith12 ', 'ＪＳＭＩＴＨ１２'].map(subjectKey)).toEqual(['jsmith12', 'jsmith12']);
});

test('a sealed secret opens with its key and purpose only, and never seals alike twice', () => {
  const sealed = seal(key, 'code', '012345');
  expect(unseal(key, 'code', sealed)).toBe('012345');
  expect(seal(key, 'code', '012345')).not.toBe(sealed);
  const flipped = sealed.slice(0, -1) + (sealed.endsWith('A') ? 'B' : 'A');
  for (const attempt of [
    () => unseal(Buffer.alloc(32, 2), 'code', sealed),
    () => unseal(key, 'link', sealed),
    () => unseal(key, 'code', flipped.replace('v1.', 'v1.A')),
    () => unseal(key, 'code', sealed.replace('v1', 'v2')),
    () => unseal(key, 'code', 'v1.AAAA'),
    () => unseal(key, 'code', ''),
  ]) {
    expect(attempt).toThrow(SealBroken);
  }
});

test.each([
  ['in a thread of its own', connectSqlite],
  ['in the same thread', connectSqliteHere],
])('the SQLite file is durable %s: a write-ahead log, every commit synced, foreign keys on', async (_where, connect) => {
  const connection = await connect(join(dir, 'pragmas.sqlite'));
  const ask = async (sql: string) => Object.values((await connection.executeQuery<Record<string, unknown>>(raw(sql))).rows[0] ?? {})[0];
  expect([await ask('pragma journal_mode'), await ask('pragma synchronous'), await ask('pragma foreign_keys')]).toEqual(['wal', 2, 1]);
  await connection.close();
});

test('while another process writes, changes wait and readers do not wait behind them [fault 9]', async () => {
  const file = join(dir, 'busy.sqlite');
  const store = await openStore({ file });
  const other = new DatabaseSync(file);
  other.exec('begin immediate');
  let saved = 0;
  const saving = ['1', '2', '3'].map(async code => {
    await store.change(tx => addOrganisation(tx, { code, name: 'x', type: 'other', provisioning: 'none', now }));
    saved += 1;
  });
  for (let looks = 0; looks < 20; looks += 1) expect(await store.db.selectFrom('organisations').select('name').execute()).toEqual([]);
  expect(saved).toBe(0);
  other.exec('rollback');
  other.close();
  await Promise.all(saving);
  expect(await store.db.selectFrom('organisations').select('id').execute()).toHaveLength(3);
  await store.close();
});

test('a transaction that meets the lock keeps its turn, and waits for nobody who waits for that', async () => {
  const file = join(dir, 'turn.sqlite');
  const store = await openStore({ file });
  const other = new DatabaseSync(file);
  other.exec('begin immediate');
  const added = (code: string) => ({ code, name: 'x', type: 'other' as const, provisioning: 'none' as const, now });
  const outside = store.change(tx => addOrganisation(tx, added('1')));
  const inside = store.db
    .transaction()
    .setAccessMode('read only')
    .execute(tx => tx.deleteFrom('organisations').where('id', '=', 0).execute());
  await wait(50);
  other.exec('rollback');
  other.close();
  await Promise.all([outside, inside]);
  await store.close();
});

test.each([5, 261, 773])('SQLite is busy by code %i', errcode => {
  expect(isBusy(Object.assign(new Error('database is locked'), { errcode }))).toBe(true);
  expect(isBusy(Object.assign(new Error('disk full'), { errcode: errcode + 8 }))).toBe(false);
});

test('a lock that is free for moments only, as beside an import, is not missed behind a crowd of readers', async () => {
  const file = join(dir, 'moments.sqlite');
  const store = await openStore({ file });
  const other = new DatabaseSync(file);
  let [moments, over] = [0, false];
  // It must not wait for the lock in this thread, which has to end the store's changes meanwhile.
  const hold = async () => {
    try {
      other.exec('begin immediate');
    } catch {
      return;
    }
    await wait(60);
    other.exec('rollback');
    moments += 1;
  };
  const importing = (async () => {
    while (!over) {
      await hold();
      await wait(5);
    }
  })();
  const crowd = Array.from({ length: 1_000 }, async () => {
    while (!over) await store.db.selectFrom('organisations').select('name').execute();
  });
  const began = moments;
  for (let code = 0; code < 8; code += 1)
    await store.change(tx => addOrganisation(tx, { code: String(code), name: 'x', type: 'other', provisioning: 'none', now }));
  expect(moments - began).toBeLessThan(60);
  over = true;
  await Promise.all([importing, ...crowd]);
  other.close();
  await store.close();
});

test('what was asked of a database thread that has ended is answered with a fault', async () => {
  const connection = await connectSqlite(join(dir, 'ended.sqlite'));
  const answers = [1, 2, 3].map(() => connection.executeQuery(raw('select 1')).catch((error: Error) => error.message));
  const closed = connection.close();
  const afterwards = connection.executeQuery(raw('select 1'));
  await expect(afterwards).rejects.toThrow('The database thread has ended.');
  await closed;
  await expect(connection.executeQuery(raw('select 1'))).rejects.toThrow('The database thread has ended.');
  expect(await Promise.all(answers)).toHaveLength(3);
});

test('a store of a process that serves nobody gives back the same, and takes back what failed', async () => {
  const file = join(dir, 'alone.sqlite');
  const [alone, other] = [await openStore({ file }, { alone: true }), await openStore({ file })];
  const added = { code: '1', name: 'x', type: 'other', provisioning: 'none', now } as const;
  await alone.change(tx => addOrganisation(tx, added));
  await expect(alone.change(tx => addOrganisation(tx, added))).rejects.toThrow(/unique/i);
  const read = ({ db }: typeof alone) => db.selectFrom('organisations').selectAll().execute();
  expect(await read(alone)).toStrictEqual(await read(other));
  expect(await read(alone)).toHaveLength(1);
  await Promise.all([alone.close(), other.close()]);
});

test('two stores on one file wait for each other’s changes', async () => {
  const file = join(dir, 'two.sqlite');
  const [one, two] = await Promise.all([openStore({ file }), openStore({ file })]);
  const add = (store: typeof one, code: number) =>
    store.change(tx => addOrganisation(tx, { code: String(code), name: 'x', type: 'other', provisioning: 'none', now }));
  const ids = await Promise.all(Array.from({ length: 20 }, (_, code) => add(code % 2 ? one : two, code)));
  expect(new Set(ids).size).toBe(20);
  await Promise.all([one.close(), two.close()]);
});

test('a folder is one gateway’s, until it lets go', async () => {
  const folder = join(dir, 'deep', 'data');
  const lock = lockDataDir(folder);
  expect(() => lockDataDir(folder)).toThrow(`Another gateway is using the folder ${folder}`);
  lock.release();
  lockDataDir(folder).release();
});

test('a gateway that was killed leaves no lock behind', async () => {
  const folder = join(dir, 'killed');
  const program = `const { lockDataDir } = await import(${JSON.stringify(fileURLToPath(import.meta.resolve('#store/data-dir.ts')))});
    lockDataDir(process.argv[1]); global.gc(); setTimeout(() => (global.gc(), console.log('locked')), 10); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--expose-gc', '--input-type=module', '-e', program, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  try {
    await once(child.stdout, 'data');
    expect(() => lockDataDir(folder)).toThrow(DataDirFault);
  } finally {
    child.kill('SIGKILL');
  }
  await exited;
  lockDataDir(folder).release();
});

test('a folder that cannot be made or written is one clear sentence', async () => {
  const file = join(dir, 'file');
  writeFileSync(file, '');
  expect(() => lockDataDir(join(file, 'data'))).toThrow(/^The folder .* cannot be written: make it writable .*\.$/);
  chmodSync(file, 0o600);
});

test('a file that is no database is one clear sentence, and anything of ours keeps its stack', async () => {
  const file = join(dir, 'garbage.sqlite');
  writeFileSync(file, 'not a database, whatever its name says, for longer than its header would be'.repeat(9));
  await expect(openStore({ file })).rejects.toThrow(OpeningFault);
  await expect(openStore({ file })).rejects.toThrow(/^The file .*garbage\.sqlite is damaged or no database of ours: .* DATA_DIR .*\.$/);
  const ours = new TypeError('a mistake in a migration');
  expect(asOpeningFault(ours, { file })).toBe(ours);
  expect(asOpeningFault(ours, { url: 'postgres://db/portal' })).toBe(ours);
});
