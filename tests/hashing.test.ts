import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkCredentials } from '#gateway/sign-in/credentials.ts';
import { createHashing, decoy, type Hashing } from '#gateway/sign-in/hashing.ts';
import { openStore, type Store } from '#store/database.ts';

let dir: string;
let store: Store;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'portal-hashing-'));
  store = await openStore({ file: join(dir, 'portal.sqlite') });
});
afterAll(async () => {
  await store.close();
  rmSync(dir, { recursive: true, force: true });
});

const median = (times: number[]) => times.toSorted((one, other) => one - other)[Math.floor(times.length / 2)] ?? 0;

test('nobody costs a hash as well #81', async () => {
  const hashing = createHashing();
  const hash = await hashing.hash('heron-basket-166');
  const costOf = (text: string) => text.split('$').slice(0, 4);
  expect(costOf(decoy)).toEqual(costOf(hash));
  const timesOf = async (who: string | null) => {
    const times: number[] = [];
    for (let time = 0; time < 7; time++) {
      const began = performance.now();
      expect(await hashing.verify(who, 'something else')).toBe(false);
      times.push(performance.now() - began);
    }
    return median(times);
  };
  await timesOf(null);
  // A tenth of it would be a thousand times what no hash takes, and a busy machine is not busy by a factor of ten in one of the two alone.
  expect(await timesOf(null)).toBeGreaterThan((await timesOf(hash)) / 10);
});

test.each([
  ['an e-mail address', 'nobody@nowhere.example'],
  ['a user ID', 'NOBODY99'],
])('%s that nobody has is hashed for once, like a wrong password #81', async (_what, name) => {
  const asked: (string | null)[] = [];
  const hashing: Hashing = {
    hash: async () => '',
    sizes: () => ({ running: 0, waiting: 0 }),
    async verify(hash) {
      asked.push(hash);
      return true;
    },
  };
  const limits = { tries: 10, waitMinutes: 15, addressTries: 100 };
  const directory = { check: async () => null };
  const deps = { store, directory, hashing, limits, now: Date.now };
  expect(await checkCredentials(deps, { name, password: 'x', address: '192.0.2.1' })).toEqual({ outcome: 'wrong' });
  expect(asked).toEqual([null]);
});
