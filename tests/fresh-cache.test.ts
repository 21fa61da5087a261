import { expect, test } from 'vitest';
import { createFreshCache, OvertakenFault } from '#policies/fresh-cache.ts';

type Entry = { key: string; owner: string; read: number };

const ownersOf = ({ owner }: Entry) => [owner];

/** A source whose every load waits until the test lets it land; `read` numbers the loads. */
function slowSource() {
  const waiting: { key: string; land(owner?: string): void; fail(fault: Error): void }[] = [];
  let reads = 0;
  function load(key: string): Promise<Entry> {
    const read = ++reads;
    const { promise, resolve, reject } = Promise.withResolvers<Entry>();
    waiting.push({ key, land: (owner = 'ann') => resolve({ key, owner, read }), fail: reject });
    return promise;
  }
  async function next() {
    for (let turns = 0; waiting.length === 0 && turns < 50; turns++) await Promise.resolve();
    const load = waiting.shift();
    if (!load) throw new Error('no load is waiting');
    return load;
  }
  return { load, next, reads: () => reads };
}

test('a value is loaded once for all who ask meanwhile, and is then there at once', async () => {
  const source = slowSource();
  const cache = createFreshCache({ load: source.load, max: 10, ownersOf });
  const asked = [cache.get('a'), cache.get('a'), cache.get('a')];
  (await source.next()).land();
  const values = await Promise.all(asked);
  expect(new Set(values).size).toBe(1);
  expect(cache.get('a')).toBe(values[0]);
  expect(source.reads()).toBe(1);
});

test('keys never share a load #80', async () => {
  const source = slowSource();
  const cache = createFreshCache({ load: source.load, max: 10, ownersOf });
  const asked = ['a', 'b', 'A', 'a '].map(key => cache.get(key));
  for (let loads = 0; loads < 4; loads++) (await source.next()).land();
  expect((await Promise.all(asked)).map(value => value.key)).toEqual(['a', 'b', 'A', 'a ']);
});

for (const [name, drop] of [
  ['drop', cache => cache.drop('a')],
  ['dropAll', cache => cache.dropAll()],
  ['dropWhere', cache => cache.dropWhere((_key, value) => value.owner === 'ann')],
  ['dropOf', cache => cache.dropOf('ann')],
] satisfies [string, (cache: ReturnType<typeof createFreshCache<string, Entry>>) => void][]) {
  test(`${name}: what was being read is neither kept nor returned, also not to those who asked before`, async () => {
    const source = slowSource();
    const cache = createFreshCache({ load: source.load, max: 10, ownersOf });
    const before = cache.get('a');
    const old = await source.next();
    drop(cache);
    const after = cache.get('a');
    old.land();
    (await source.next()).land();
    expect(await before).toMatchObject({ read: 2 });
    expect(await after).toMatchObject({ read: 2 });
    expect(cache.get('a')).toMatchObject({ read: 2 });
  });

  test(`${name}: a kept value is read again`, async () => {
    const source = slowSource();
    const cache = createFreshCache({ load: source.load, max: 10, ownersOf });
    const first = cache.get('a');
    (await source.next()).land();
    await first;
    drop(cache);
    const second = cache.get('a');
    (await source.next()).land();
    expect(await second).toMatchObject({ read: 2 });
  });
}

test('who asks after a drop does not wait for the load from before it', async () => {
  const source = slowSource();
  const cache = createFreshCache({ load: source.load, max: 10, ownersOf });
  const before = cache.get('a');
  const old = await source.next();
  cache.drop('a');
  const after = cache.get('a');
  (await source.next()).land();
  expect(await after).toMatchObject({ read: 2 });
  old.land();
  expect(await before).toMatchObject({ read: 2 });
  expect(cache.get('a')).toMatchObject({ read: 2 });
});

test('a drop of another key or owner disturbs no load', async () => {
  const source = slowSource();
  const cache = createFreshCache({ load: source.load, max: 10, ownersOf });
  const asked = cache.get('a');
  const load = await source.next();
  cache.drop('b');
  cache.dropWhere((_key, value) => value.owner === 'ben');
  load.land('ann');
  expect(await asked).toMatchObject({ read: 1 });
  expect(source.reads()).toBe(1);
});

test('a value that is overtaken every time is an error, not an old answer', async () => {
  const source = slowSource();
  const cache = createFreshCache({ load: source.load, max: 10, ownersOf });
  const asked = cache.get('a');
  const outcome = expect(asked).rejects.toThrow(OvertakenFault);
  for (let loads = 0; loads < 8; loads++) {
    const load = await source.next();
    cache.drop('a');
    load.land();
  }
  await outcome;
  expect(cache.size()).toBe(0);
});

test('a failed load reaches all who wait, is not kept, and the next one who asks tries again', async () => {
  const source = slowSource();
  const cache = createFreshCache({ load: source.load, max: 10, ownersOf });
  const asked = [cache.get('a'), cache.get('a')].map(value => expect(value).rejects.toThrow('no database'));
  (await source.next()).fail(new Error('no database'));
  await Promise.all(asked);
  expect([cache.size(), cache.loading()]).toEqual([0, 0]);
  const again = cache.get('a');
  (await source.next()).land();
  expect(await again).toMatchObject({ read: 2 });
});

test('what was not used for longest goes first and the size stays bounded', async () => {
  let loads = 0;
  const cache = createFreshCache({ load: async (key: string) => `${key}${++loads}`, max: 6 });
  for (const key of ['a', 'b', 'c', 'd']) await cache.get(key);
  expect(cache.get('a')).toBe('a1');
  for (const key of ['e', 'f']) await cache.get(key);
  expect(cache.get('a')).toBe('a1');
  expect(cache.get('b')).toBeInstanceOf(Promise);
  for (let key = 0; key < 500; key++) {
    await cache.get(`k${key}`);
    expect(cache.size()).toBeLessThanOrEqual(6);
  }
  expect(cache.size()).toBeGreaterThanOrEqual(3);
});

test('an owner’s values are dropped whichever generation they are in, and nobody else’s; a value may have several', async () => {
  const load = async (key: string) => ({ key });
  const cache = createFreshCache({ load, max: 12, ownersOf: ({ key }) => [...key] });
  for (const key of ['1a', '2a', '3a', '1b', '2b', '3b', '1c', '2c', '1c']) await cache.get(key);
  expect(cache.size()).toBe(8);
  cache.dropOf('1');
  cache.dropOf('9');
  expect([...cache.values()].map(({ key }) => key).sort()).toEqual(['2a', '2b', '2c', '3a', '3b']);
  cache.dropOf('b');
  expect([...cache.values()].map(({ key }) => key).sort()).toEqual(['2a', '2c', '3a']);
  cache.dropOf('2');
  expect([...cache.values()].map(({ key }) => key)).toEqual(['3a']);
});

test('what values weigh is bounded, and one that is too heavy is kept alone', async () => {
  const cache = createFreshCache({ load: async (key: string) => ({ weight: Number(key) }), max: 100, weigh: ({ weight }) => weight });
  for (let weight = 1; weight <= 50; weight++) {
    await cache.get(String(weight));
    expect(cache.weight()).toBeLessThanOrEqual(100);
    expect(cache.weight()).toBe([...cache.values()].reduce((sum, value) => sum + value.weight, 0));
  }
  await cache.get('500');
  await cache.get('600');
  expect(cache.get('600')).toEqual({ weight: 600 });
  cache.drop('600');
  cache.drop('500');
  expect([cache.size(), cache.weight()]).toEqual([0, 0]);
});

test('a value not worth keeping is answered and leaves nothing behind; null is a value like others', async () => {
  const load = async (key: string) => (key === 'none' ? null : key);
  const careful = createFreshCache({ load, max: 10, keep: value => value !== null });
  expect(await careful.get('none')).toBeNull();
  expect([careful.size(), careful.loading()]).toEqual([0, 0]);
  const plain = createFreshCache({ load, max: 10 });
  await plain.get('none');
  expect(plain.get('none')).toBeNull();
});

test('discarding a value that ran out leaves its successor alone', async () => {
  let loads = 0;
  const cache = createFreshCache({ load: async () => ({ read: ++loads }), max: 10 });
  const first = await cache.get('a');
  cache.drop('a');
  const second = await cache.get('a');
  cache.discard('a', first);
  expect(cache.get('a')).toBe(second);
  cache.discard('a', second);
  expect(cache.size()).toBe(0);
});

test('a load that hangs while changes go on collects no predicates without end', async () => {
  const source = slowSource();
  const cache = createFreshCache({ load: source.load, max: 10, ownersOf });
  const before = cache.get('a');
  const hanging = await source.next();
  let judged = 0;
  for (let changes = 0; changes < 1_000; changes++) {
    cache.dropWhere(() => {
      judged++;
      return false;
    });
  }
  expect(cache.loading()).toBe(0);
  const after = cache.get('a');
  (await source.next()).land();
  expect(await after).toMatchObject({ read: 2 });
  hanging.land();
  expect(await before).toMatchObject({ read: 2 });
  expect(judged).toBeLessThanOrEqual(100);
});
