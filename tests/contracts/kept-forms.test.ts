import { expect, test } from 'vitest';
import { prune } from '#store/jobs.ts';
import { dropKeptForm, findKeptForm, giveBackKeptForm, keepForm, takeKeptForm } from '#store/kept-forms.ts';
import { SealBroken } from '#store/sealing.ts';
import { addSchool, key, start as now, onEveryStore } from './stores.ts';

const hour = 3_600_000;
const keys = [Buffer.alloc(32, 9), key];
const form = {
  address: '/efs/budget.asp?year=2019',
  contentType: 'multipart/form-data; boundary=x',
  referer: 'https://www3.example/efs/',
  body: Buffer.from(Array.from({ length: 512 }, (_, index) => index % 256)),
};

onEveryStore('kept forms', house => {
  const browser = { host: 'www3.example', nonceHash: 'n' };
  const keptByAnn = async () => {
    const { ann, ben } = await addSchool(house.store);
    const id = await keepForm(house.store.db, key, { person: ann, ...browser }, form, now);
    return { ann, ben, which: { id, ...browser, now } };
  };
  const rows = () => house.store.db.selectFrom('kept_forms').selectAll().orderBy('id').execute();

  test('come back byte for byte, and are sealed meanwhile', async () => {
    const { ann, which } = await keptByAnn();
    const [row] = await rows();
    expect(row?.sealed).toMatch(/^v1\./);
    expect(JSON.stringify(row)).not.toMatch(/efs|year|multipart/);
    expect(await findKeptForm(house.store.db, keys, which)).toEqual({ ...form, person: ann, createdAt: now, expiresAt: now + hour });
  });

  test('are there for their browser on their host only, and for an hour', async () => {
    const { which } = await keptByAnn();
    const { db } = house.store;
    for (const other of [{ nonceHash: 'x' }, { host: 'www.example' }, { id: which.id + 1 }, { now: now + hour }])
      expect(await findKeptForm(db, keys, { ...which, ...other }), JSON.stringify(other)).toBeNull();
    expect(await findKeptForm(db, keys, { ...which, now: now + hour - 1 })).not.toBeNull();
  });

  test('are taken once: one of twenty gets it, and only as its person, in its browser, on its host and in time', async () => {
    const { ann, ben, which } = await keptByAnn();
    const { db } = house.store;
    const take = { ...which, person: ann };
    for (const other of [{ person: ben }, { nonceHash: 'x' }, { host: 'www.example' }, { now: now + hour }])
      expect(await takeKeptForm(db, keys, { ...take, ...other }), JSON.stringify(other)).toBeNull();
    const taken = await Promise.all(Array.from({ length: 20 }, () => takeKeptForm(db, keys, take)));
    expect(taken.filter(Boolean).map(one => one?.body)).toEqual([form.body]);
    expect(await rows()).toEqual([]);
  });

  test('that were taken and given back are as they were, and no older or younger', async () => {
    const { ann, which } = await keptByAnn();
    const { db } = house.store;
    const [before] = await rows();
    const taken = await takeKeptForm(db, keys, { ...which, person: ann });
    await giveBackKeptForm(db, key, { ...which, now: now + hour / 2 }, taken!);
    expect(await rows()).toEqual([{ ...before, sealed: expect.any(String) }]);
    expect(await takeKeptForm(db, keys, { ...which, person: ann })).toEqual(taken);
  });

  test('cannot be moved to somebody else', async () => {
    const { ben, which } = await keptByAnn();
    const { db } = house.store;
    await db.updateTable('kept_forms').set({ person_id: ben }).execute();
    await expect(takeKeptForm(db, keys, { ...which, person: ben })).rejects.toThrow(SealBroken);
  });

  test('are dropped in their own browser only', async () => {
    const { which } = await keptByAnn();
    await dropKeptForm(house.store.db, { ...which, nonceHash: 'x' });
    expect(await rows()).toHaveLength(1);
    await dropKeptForm(house.store.db, which);
    expect(await rows()).toEqual([]);
  });

  test('of one person are the newest five; another’s stay', async () => {
    const { ann, ben, which } = await keptByAnn();
    const bens = await keepForm(house.store.db, key, { person: ben, ...browser }, form, now);
    const more: number[] = [];
    for (let count = 0; count < 5; count += 1) more.push(await keepForm(house.store.db, key, { person: ann, ...browser }, form, now));
    expect((await rows()).map(({ id }) => id)).toEqual([bens, ...more]);
    expect(more).not.toContain(which.id);
  });

  test('that nobody sent are pruned when their time is over', async () => {
    await keptByAnn();
    await prune(house.store.db, now + hour - 1, hour);
    expect(await rows()).toHaveLength(1);
    await prune(house.store.db, now + hour, hour);
    expect(await rows()).toEqual([]);
  });
});
