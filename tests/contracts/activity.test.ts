import { expect, test } from 'vitest';
import { append, eraseText, latest, readAfter, verifyChain } from '#store/activity.ts';
import type { Store } from '#store/database.ts';
import { type Feed, startFeed } from '#store/feed.ts';
import { inProcessWakeUp } from '#store/wake-up.ts';
import { onEveryStore, start } from './stores.ts';

const entry = {
  at: start,
  kind: 'access-changed',
  organisation: 7,
  person: 42,
  data: { b: 1, a: ['x'] },
  text: { person: 'Ann Ash' },
} as const;
const never = 3_600_000;

onEveryStore('the activity', house => {
  const write = (times = 1, store = house.store) =>
    store.change(async tx => {
      for (let time = 0; time < times; time += 1) await append(tx, entry);
    });
  const feeds: Feed[] = [];
  const follow = async (pollMs = never, onError?: (error: unknown) => void, store: Pick<Store, 'db'> = house.store) => {
    const feed = await startFeed(store, { pollMs, wakeUp: inProcessWakeUp(), ...(onError ? { onError } : {}) });
    feeds.push(feed);
    return feed;
  };
  const closeFeeds = () => Promise.all(feeds.splice(0).map(feed => feed.close()));

  test('numbers its entries without a gap, also after a change that was taken back', async () => {
    await write(2);
    const fails = house.store.change(async tx => {
      await append(tx, entry);
      throw new Error('no');
    });
    await expect(fails).rejects.toThrow('no');
    await write();
    expect((await readAfter(house.store.db, 0, 10)).map(({ id }) => id)).toEqual([1, 2, 3]);
    expect(await latest(house.store.db)).toBe(3);
    expect((await readAfter(house.store.db, 1, 1))[0]).toMatchObject({
      id: 2,
      kind: 'access-changed',
      person: 42,
      data: { a: ['x'], b: 1 },
    });
  });

  test('is written inside a change only', async () => {
    await expect(append(house.store.db as never, entry)).rejects.toThrow('inside a change');
  });

  test('shows a reader who reads along every entry once and in order, with eight changes at a time', async () => {
    const other = await house.another();
    const seen: number[] = [];
    let writing = true;
    const reading = (async () => {
      while (writing || seen.length < 80) {
        const last = seen.at(-1) ?? 0;
        seen.push(...(await readAfter(other.db, last, 7)).map(({ id }) => id));
      }
    })();
    const writer = async (store: typeof other) => {
      for (let change = 0; change < 5; change += 1) await write(2, store);
    };
    await Promise.all(Array.from({ length: 8 }, (_, index) => writer(index % 2 ? other : house.store)));
    writing = false;
    await reading;
    expect(seen).toEqual(Array.from({ length: 80 }, (_, index) => index + 1));
    expect(await verifyChain(other.db)).toEqual({ entries: 80, broken: null });
  });

  test('stays verifiable when names are erased', async () => {
    await write(3);
    await house.store.change(tx => eraseText(tx, [2]));
    expect(await verifyChain(house.store.db)).toEqual({ entries: 3, broken: null });
    expect(await house.store.db.selectFrom('activity_text').select('activity_id').execute()).toHaveLength(2);
  });

  test('names the first entry that was changed, taken out, or whose names were', async () => {
    await write(5);
    const { db } = house.store;
    await db.updateTable('activity_text').set({ text: '{"person":"Eve"}' }).where('activity_id', '=', 4).execute();
    expect((await verifyChain(db)).broken).toEqual({ id: 4, what: 'text' });
    await db.updateTable('activity').set({ actor_id: 1 }).where('id', '=', 3).execute();
    expect((await verifyChain(db)).broken).toEqual({ id: 3, what: 'changed' });
    await db.deleteFrom('activity_text').where('activity_id', '=', 2).execute();
    await db.deleteFrom('activity').where('id', '=', 2).execute();
    expect((await verifyChain(db)).broken).toEqual({ id: 2, what: 'missing' });
  });

  test('feeds from its present end, and catching up covers what was committed before', async () => {
    await write(2);
    const feed = await follow();
    const seen: number[] = [];
    feed.onEntry(({ id }) => void seen.push(id));
    expect(feed.position()).toBe(2);
    const other = await house.another();
    for (let id = 3; id <= 22; id += 1) {
      await write(1, id % 2 ? other : house.store);
      await feed.catchUp();
      expect(feed.position()).toBeGreaterThanOrEqual(id);
    }
    expect(seen).toEqual(Array.from({ length: 20 }, (_, index) => index + 3));
    await closeFeeds();
  });

  test('covers an entry that was committed while a read was under way', async () => {
    let hold = false;
    const hasRead = Promise.withResolvers<void>();
    const goesOn = Promise.withResolvers<void>();
    const transformResult = async <Result>({ result }: { result: Result }) => {
      if (!hold) return result;
      hold = false;
      hasRead.resolve();
      await goesOn.promise;
      return result;
    };
    const db = house.store.db.withPlugin({ transformQuery: ({ node }) => node, transformResult });
    const feed = await follow(never, undefined, { db });
    hold = true;
    const first = feed.catchUp();
    await hasRead.promise;
    await write();
    const caughtUp = feed.catchUp();
    goesOn.resolve();
    await first;
    expect(feed.position()).toBe(0);
    await caughtUp;
    expect(feed.position()).toBe(1);
    await closeFeeds();
  });

  test('reads on when there is more than one page of it', async () => {
    const feed = await follow();
    await write(1_100);
    await feed.catchUp();
    expect(feed.position()).toBe(1_100);
    await closeFeeds();
  });

  test('tells every listener in order, whatever one of them throws', async () => {
    const faults: unknown[] = [];
    const feed = await follow(never, fault => faults.push(fault));
    const told: string[] = [];
    feed.onEntry(() => void told.push('first'));
    feed.onEntry(() => {
      throw new Error('second');
    });
    feed.onEntry(() => void told.push('third'));
    await write();
    await feed.catchUp();
    expect(told).toEqual(['first', 'third']);
    expect(faults).toHaveLength(1);
    await closeFeeds();
  });

  test('finds what another process wrote by polling alone', async () => {
    const feed = await follow(20);
    const other = await house.another();
    const seen = new Promise<number>(resolve => feed.onEntry(({ id }) => resolve(id)));
    await write(1, other);
    expect(await seen).toBe(1);
    await closeFeeds();
  });

  test('is in step within the process when the change is answered', async () => {
    let feed: Feed | null = null;
    const store = await house.another({ onChanged: () => feed?.catchUp() ?? Promise.resolve() });
    feed = await follow(never, undefined, store);
    const seen: number[] = [];
    feed.onEntry(({ id }) => void seen.push(id));
    await write(1, store);
    expect(seen).toEqual([1]);
    await closeFeeds();
  });

  test('grows stale while it cannot be read, and says why', async () => {
    const faults: unknown[] = [];
    const store = await house.another();
    const feed = await follow(10, fault => faults.push(fault), store);
    await feed.catchUp();
    await store.close();
    await expect(feed.catchUp()).rejects.toThrow();
    const before = feed.staleFor();
    await expect.poll(() => faults.length).toBeGreaterThan(2);
    expect(feed.staleFor()).toBeGreaterThan(before);
    await closeFeeds();
  });
});
