import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { append } from '#store/activity.ts';
import { openStore, type Store } from '#store/database.ts';
import { startFeed } from '#store/feed.ts';
import { inProcessWakeUp } from '#store/wake-up.ts';
import { long } from '#tests/long.ts';
import { type Postgres, startPostgres } from '#tests/servers.ts';

const WRITERS = 8;
const RACE_MS = long ? 60_000 : 10_000;
const ENTRIES = 2;

let postgres: Postgres;
const open: Store[] = [];
beforeAll(async () => {
  postgres = await startPostgres();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map(store => store.close()));
});
afterAll(() => postgres.stop());

/** A database with every table, and after that with whatever the statements make of it. */
async function database(...statements: string[]): Promise<string> {
  const url = await postgres.freshDatabase();
  await (await openStore({ url })).close();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const name = new URL(url).pathname.slice(1);
  for (const statement of statements) await client.query(statement.replaceAll('THIS_DATABASE', name));
  await client.end();
  return url;
}

// What `change` calls is then found in the schema of the tables first, where it locks nothing. The product runs as it is.
const withoutTheLock = [
  "create function public.pg_advisory_xact_lock(bigint) returns void language sql as 'select null'",
  'alter database THIS_DATABASE set search_path to public, pg_catalog',
];
// The usual way to number a log: numbers are given at once, and become visible whenever their transaction is done.
const numbersFromASequence = [
  'create sequence numbers',
  "create function number() returns trigger language plpgsql as 'begin new.id := nextval(''public.numbers''); return new; end'",
  'create trigger number before insert on activity for each row execute function number()',
];

/** Eight writers for so long, each with connections of its own, and a feed that reads along as fast as it can. */
async function race(url: string, ms: number) {
  const enter = async () => {
    const store = await openStore({ url });
    open.push(store);
    return store;
  };
  const reader = await enter();
  const feed = await startFeed(reader, { pollMs: 3_600_000, wakeUp: inProcessWakeUp() });
  const [began, seen] = [feed.position(), [] as number[]];
  feed.onEntry(({ id }) => void seen.push(id));
  const [end, said] = [performance.now() + ms, { answered: 0, refused: 0 }];

  async function write(store: Store): Promise<void> {
    while (performance.now() < end) {
      const change = store.change(async tx => {
        for (let entry = 0; entry < ENTRIES; entry += 1) await append(tx, { at: entry, kind: 'access-changed' });
      });
      await change.then(
        () => (said.answered += 1),
        () => (said.refused += 1),
      );
    }
  }

  let writing = true;
  const reading = (async () => {
    while (writing) {
      await feed.catchUp();
      await wait(0);
    }
  })();
  const writers = await Promise.all(Array.from({ length: WRITERS }, enter));
  await Promise.all(writers.map(write));
  writing = false;
  await reading;
  await feed.catchUp();
  await feed.close();
  const rows = await reader.db.selectFrom('activity').select('id').where('id', '>', began).orderBy('id').execute();
  const written = rows.map(({ id }) => id);
  const known = new Set(seen);
  return { ...said, written, seen, missed: written.filter(id => !known.has(id)) };
}

/** Every change that was answered is there, and was seen once and in order. */
function expectWhole({ answered, written, seen }: Awaited<ReturnType<typeof race>>): void {
  expect(answered).toBeGreaterThan(WRITERS);
  expect(written).toHaveLength(answered * ENTRIES);
  expect(seen).toEqual(written);
}

test(
  'a reader of the log misses nothing of what eight writers write',
  async () => {
    const result = await race(await database(), RACE_MS);
    console.log(
      `8 writers, ${RACE_MS / 1000} s: ${result.answered} changes, ${result.seen.length} entries seen, ${result.missed.length} missed`,
    );
    expectWhole(result);
    expect(result.refused).toBe(0);
  },
  RACE_MS + 60_000,
);

test('it is the lock that sees to it: with numbers that any log could have, nothing is missed either', async () => {
  expectWhole(await race(await database(...numbersFromASequence), 2_000));
});

test('with the lock taken out, the same reader misses rows', async () => {
  const url = await database(...numbersFromASequence, ...withoutTheLock);
  let missed = 0;
  for (let races = 0; missed === 0 && races < 20; races += 1) {
    const result = await race(url, 2_000);
    missed = result.missed.length;
    if (missed > 0) console.log(`without the lock: ${missed} of ${result.written.length} entries missed`);
  }
  expect(missed).toBeGreaterThan(0);
});

test('with the lock taken out, our own numbers fail loudly: writers are refused, and what they asked for is not in the log', async () => {
  const result = await race(await database(...withoutTheLock), 2_000);
  console.log(`without the lock: ${result.refused} of ${result.refused + result.answered} changes refused`);
  expect(result.refused).toBeGreaterThan(0);
  expectWhole(result);
});
