import { createHash } from 'node:crypto';
import { appendFileSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Kysely, sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readAfter, verifyChain } from '#store/activity.ts';
import { addAttempt, countAttempts } from '#store/attempts.ts';
import { keptTables, leftOutTables } from '#store/backup.ts';
import { lockDataDir } from '#store/data-dir.ts';
import { rememberValue } from '#store/installation.ts';
import { findLink, linkIsLive } from '#store/links.ts';
import { levelOf, migrate } from '#store/migrations.ts';
import { enqueue } from '#store/outbox.ts';
import { addPerson } from '#store/people.ts';
import { postgresDialect } from '#store/postgres.ts';
import { startSession } from '#store/sessions.ts';
import { sqliteDialect } from '#store/sqlite.ts';
import type { Reader, Tables } from '#store/tables.ts';
import { alice, emptyPlace, jane, linksIn, type Place, portal, tokenOf, withStore, writePeople } from '#tests/command-line-steps.ts';
import { type Postgres, startPostgres } from '#tests/servers.ts';

let postgres: Postgres;
let places: Place[] = [];
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.stop());
afterEach(() => {
  for (const { dir } of places) rmSync(dir, { recursive: true, force: true });
  places = [];
});

const kinds = ['SQLite', 'PostgreSQL'] as const;
async function newPlace(kind: (typeof kinds)[number]): Promise<Place> {
  const place = kind === 'SQLite' ? emptyPlace() : emptyPlace(await postgres.freshDatabase());
  places.push(place);
  return place;
}

const now = Date.now();
const run = (place: Place, ...args: string[]) => portal(place.env, args, () => now);
const rowsOf = (db: Reader, table: string, key: readonly string[]) =>
  db
    .selectFrom(table as 'people')
    .selectAll()
    .orderBy(sql`${sql.join(key.map(column => sql.ref(column)))}`)
    .execute() as Promise<object[]>;

/** What a stranger can type as a user ID, and what some readers of lines take for the end of one. */
const endsOfLines = 'JSMITH\r\n\u2028\u2029\u0085\v\f12';

/** Two people, somebody signed in, a link, a message and a code on their way, and more events than fit on a page of a backup. */
async function fill(place: Place): Promise<{ link: string }> {
  const { out } = await run(place, 'import', writePeople(place.dir, [alice, jane]), '--apply');
  expect((await run(place, 'subscribe', 'S1', 'efs')).code).toBe(0);
  await withStore(place, async store => {
    await store.change(async tx => {
      const [person] = await tx.selectFrom('people').select('id').orderBy('id').execute();
      const host = 'portal.hants.gov.uk';
      await startSession(tx, { person: person!.id, organisation: null, kind: 'registered', host, address: '::1', agent: '', now });
      const secrets = { key: Buffer.alloc(32, 7), values: { code: '123456' } };
      await enqueue(tx, { channel: 'text', recipient: '+447700900123', template: 'security-code', data: {}, secrets, now });
    });
    await addAttempt(store.db, 'sign-in', endsOfLines, now);
    const event = {
      at: now,
      kind: 'sign-in',
      person_id: null,
      organisation_id: null,
      service: null,
      session_id: null,
      data: '{"what":"ä\\n"}',
    };
    for (let batch = 0; batch < 5; batch += 1) await store.db.insertInto('events').values(Array(450).fill(event)).execute();
  });
  return { link: linksIn(out)[0]! };
}

const oldLevel = '0005-activity';

/** A database as the version before the outbox left it. */
async function withOldTables({ env }: Place, work: (db: Kysely<Tables>) => Promise<void>): Promise<void> {
  mkdirSync(env.DATA_DIR!);
  const file = join(env.DATA_DIR!, 'portal.sqlite');
  const db = new Kysely<Tables>({ dialect: env.DATABASE_URL ? postgresDialect(env.DATABASE_URL, () => {}) : sqliteDialect(file) });
  await migrate(db, env.DATABASE_URL ? 'postgres' : 'sqlite', oldLevel);
  await rememberValue(db, 'kind', 'real');
  await addAttempt(db, 'sign-in', endsOfLines, now);
  await work(db);
  await db.destroy();
}

describe.each(kinds)('a backup of %s', from => {
  let place: Place;
  let link: string;
  let folder: string;
  beforeEach(async () => {
    place = await newPlace(from);
    ({ link } = await fill(place));
    folder = join(place.dir, 'backup');
  });

  test.each(kinds)('begins a new installation on %s as it was, with nothing under way [fault 27]', async to => {
    const gateway = lockDataDir(place.env.DATA_DIR!);
    expect(await run(place, 'backup', folder)).toMatchObject({ code: 0, err: '' });
    gateway.release();
    const target = await newPlace(to);
    const restored = await run(target, 'restore', folder);
    expect(restored).toMatchObject({ code: 0, err: '' });
    expect(restored.out).toMatch(/Ended: 1 sessions, 1 links, 2 messages/);

    for (const [table, key] of Object.entries(keptTables)) {
      const [before, after] = await Promise.all([place, target].map(one => withStore(one, ({ db }) => rowsOf(db, table, key))));
      const changed = ['sessions', 'one_time_links', 'outbox'].includes(table);
      if (table === 'activity') expect([table, after!.slice(0, -1)]).toEqual([table, before]);
      else if (changed) expect([table, after!.length]).toEqual([table, before!.length]);
      else expect([table, after]).toEqual([table, before]);
    }
    await withStore(target, async store => {
      const { db } = store;
      for (const table of leftOutTables) expect([table, await db.selectFrom(table).selectAll().execute()]).toEqual([table, []]);
      expect(await db.selectFrom('sessions').select(['ended_at', 'end_reason']).execute()).toEqual([
        { ended_at: now, end_reason: 'restored' },
      ]);
      const found = await findLink(db, tokenOf(link));
      expect(found && linkIsLive(found, now)).toBe(false);
      const text = await db.selectFrom('outbox').select(['status', 'sealed']).where('channel', '=', 'text').execute();
      expect(text).toEqual([{ status: 'failed', sealed: null }]);
      const { entries, broken } = await verifyChain(db);
      expect(broken).toBeNull();
      // -1 is what PostgreSQL knows of a table that it has not looked at.
      const known = sql<{ entries: number }>`select reltuples as entries from pg_class where relname = 'activity'`;
      if (to === 'PostgreSQL') expect((await known.execute(db)).rows).toEqual([{ entries }]);
      expect(await readAfter(db, entries - 1, 1)).toMatchObject([
        { kind: 'restored', data: { takenAt: now, sessions: 1, links: 1, messages: 2 } },
      ]);
      // A number that was given away once must not be given again.
      const newest = await db.selectFrom('people').select('id').orderBy('id', 'desc').limit(1).executeTakeFirstOrThrow();
      const next = await store.change(tx => addPerson(tx, { firstName: 'New', lastName: 'Person', email: null, now }));
      expect(next).toBeGreaterThan(newest.id);
    });
    expect((await run(target, 'check')).code).toBe(0);
  });

  test('is for this user alone, holds the key, and is written once', async () => {
    await run(place, 'backup', folder);
    expect(statSync(folder).mode & 0o077).toBe(0);
    for (const name of ['manifest.json', 'people.jsonl']) expect(statSync(join(folder, name)).mode & 0o077).toBe(0);
    const { files } = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
    expect(files.map(({ name }: { name: string }) => name)).toEqual(from === 'SQLite' ? ['session.key'] : []);
    for (const { name } of files) {
      expect(readFileSync(join(folder, name), 'utf8')).toBe(readFileSync(join(place.env.DATA_DIR!, name), 'utf8'));
      appendFileSync(join(folder, name), '\n');
      const target = await newPlace(from);
      expect(await run(target, 'restore', folder)).toMatchObject({ code: 1, err: expect.stringMatching(/damaged: session\.key/) });
      rmSync(join(folder, name));
      expect(await run(target, 'restore', folder)).toMatchObject({ code: 1, err: expect.stringMatching(/not whole: session\.key/) });
    }
    expect(await run(place, 'backup', folder)).toMatchObject({ code: 1, err: expect.stringMatching(/has something in it already/) });
  });

  test('needs neither a catalogue that can be read nor tables of today, and changes none; those of tomorrow it leaves alone', async () => {
    writeFileSync(join(place.dir, 'broken.yaml'), 'services: [');
    const broken = { ...place, env: { ...place.env, CATALOGUE: join(place.dir, 'broken.yaml') } };
    expect(await run(broken, 'backup', folder)).toMatchObject({ code: 0, err: '' });

    const old = await newPlace(from);
    const target = await newPlace(from);
    await withOldTables(old, async db => {
      expect(await run(old, 'backup', join(old.dir, 'backup'))).toMatchObject({ code: 0, err: '' });
      expect(await levelOf(db)).toBe(oldLevel);
      await db
        .insertInto('kysely_migration' as 'jobs')
        .values({ name: '9999-tomorrow', timestamp: '' } as never)
        .execute();
      expect(await run(old, 'backup', join(old.dir, 'another'))).toMatchObject({ code: 1, err: expect.stringMatching(/newer version/) });
    });
    expect(await run(target, 'restore', join(old.dir, 'backup'))).toMatchObject({ code: 0, err: '' });
    expect(await withStore(target, ({ db }) => countAttempts(db, 'sign-in', endsOfLines, 0))).toBe(1);
  });

  test('is not restored over data, while a gateway runs, or when it is not whole; and then nothing is begun', async () => {
    await run(place, 'backup', folder);
    const refused = async (target: Place, words: RegExp) =>
      expect(await run(target, 'restore', folder)).toMatchObject({ code: 1, err: expect.stringMatching(words) });
    await refused(place, /There are data already/);

    const target = await newPlace(from);
    const gateway = lockDataDir(target.env.DATA_DIR!);
    await refused(target, /Another gateway is using the folder/);
    gateway.release();
    if (from === 'PostgreSQL')
      await withStore(await newPlace(from), async store => {
        const url = places.at(-1)!.env.DATABASE_URL!;
        await refused({ ...target, env: { ...target.env, DATABASE_URL: url } }, /Somebody is connected/);
        expect(store.kind).toBe('postgres');
      });
    expect(await portal({ DATA_DIR: target.env.DATA_DIR! }, ['restore', folder])).toMatchObject({
      code: 1,
      err: expect.stringMatching(/belongs to a real installation and cannot be used for the demo/),
    });

    const manifest = join(folder, 'manifest.json');
    const written = readFileSync(manifest, 'utf8');
    writeFileSync(manifest, written.replace(/"level": "\d+/, '"level": "9999'));
    await refused(target, /newer version/);
    writeFileSync(manifest, written.slice(0, 100));
    await refused(target, /no whole backup/);
    writeFileSync(manifest, written);
    const people = readFileSync(join(folder, 'people.jsonl'), 'utf8');
    appendFileSync(join(folder, 'people.jsonl'), people.split('\n')[0]!);
    await refused(target, /damaged: people\.jsonl/);
    rmSync(join(folder, 'people.jsonl'));
    await refused(target, /not whole: people\.jsonl/);

    writeFileSync(join(folder, 'people.jsonl'), people);
    expect((await run(target, 'restore', folder)).code).toBe(0);
  });
});

test('every table is either in a backup or left out on purpose', async () => {
  const place = await newPlace('SQLite');
  await run(place, 'council', 'add', 'olga@hants.gov.uk');
  const tables = await withStore(place, ({ db }) => db.introspection.getTables());
  expect([...Object.keys(keptTables), ...leftOutTables].sort()).toEqual(tables.map(({ name }) => name).sort());
});

test('a backup whose activity was changed is not restored', async () => {
  const place = await newPlace('SQLite');
  await fill(place);
  const folder = join(place.dir, 'backup');
  await run(place, 'backup', folder);
  const [file, manifest] = [join(folder, 'activity.jsonl'), join(folder, 'manifest.json')];
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  const before = readFileSync(file, 'utf8');
  const after = before.replace('"kind":"subscription-added"', '"kind":"subscription-removed"');
  writeFileSync(file, after);
  writeFileSync(manifest, readFileSync(manifest, 'utf8').replace(sha256(before), sha256(after)));
  const target = await newPlace('SQLite');
  expect(await run(target, 'restore', folder)).toMatchObject({
    code: 1,
    err: expect.stringMatching(/tampered with: its entry \d+ is changed/),
  });
  expect(await withStore(target, ({ db }) => db.selectFrom('people').selectAll().execute())).toEqual([]);
});
