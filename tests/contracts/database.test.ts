import { expect, test } from 'vitest';
import { readTogether } from '#store/database.ts';
import { installationValue, rememberValue } from '#store/installation.ts';
import { addOrganisation, findOrganisation } from '#store/organisations.ts';
import { addPerson, findByIdentity, person, personNames } from '#store/people.ts';
import { addSchool, onEveryStore, start } from './stores.ts';

const school = { code: '1', name: 'School', type: 'school', provisioning: 'none', now: start } as const;

onEveryStore('the database', house => {
  test('opens on tables that are there already, from several processes at once', async () => {
    await addSchool(house.store);
    const others = await Promise.all([house.another(), house.another(), house.another()]);
    for (const other of others) expect((await findOrganisation(other.db, '3001'))?.name).toBe('School 3001');
  });

  test('refuses a row whose key is there already, and one that refers to nothing', async () => {
    await house.store.change(tx => addOrganisation(tx, school));
    await expect(house.store.change(tx => addOrganisation(tx, school))).rejects.toThrow(/unique/i);
    const orphan = { person_id: 99, organisation_id: 99, joined_at: start };
    await expect(house.store.db.insertInto('memberships').values(orphan).execute()).rejects.toThrow(/foreign key/i);
  });

  test('takes back a change whose work fails, and goes on', async () => {
    const fails = house.store.change(async tx => {
      await addOrganisation(tx, school);
      throw new Error('no');
    });
    await expect(fails).rejects.toThrow('no');
    expect(await findOrganisation(house.store.db, '1')).toBeUndefined();
    expect(await house.store.change(tx => addOrganisation(tx, school))).toBeGreaterThan(0);
  });

  test('refuses at once to ask the store inside a change or a read', async () => {
    const ask = () => house.store.db.selectFrom('people').selectAll().execute();
    await expect(house.store.change(ask)).rejects.toThrow('ask the transaction');
    await expect(readTogether(house.store.db, ask)).rejects.toThrow('ask the transaction');
    await expect(house.store.change(() => house.store.change(async () => 1))).rejects.toThrow('ask the transaction');
    expect(await ask()).toEqual([]);
  });

  test('lets changes of two processes wait for each other, none lost', async () => {
    const other = await house.another();
    await rememberValue(house.store.db, 'count', '0');
    const add = (store: typeof other) =>
      store.change(async tx => {
        const count = Number(await installationValue(tx, 'count'));
        await tx
          .updateTable('installation')
          .set({ value: String(count + 1) })
          .where('key', '=', 'count')
          .execute();
      });
    await Promise.all(Array.from({ length: 20 }, (_, index) => add(index % 2 ? other : house.store)));
    expect(await installationValue(house.store.db, 'count')).toBe('20');
  });

  test('reports a fault after the commit without failing the change', async () => {
    const faults: unknown[] = [];
    const fails = () => Promise.reject(new Error('cannot catch up'));
    const other = await house.another({ onChanged: fails, onError: fault => faults.push(fault) });
    expect(await other.change(tx => addOrganisation(tx, school))).toBeGreaterThan(0);
    expect(faults).toHaveLength(1);
  });

  test('remembers the first value only', async () => {
    expect(await rememberValue(house.store.db, 'kind', 'demo')).toBe('demo');
    expect(await rememberValue(house.store.db, 'kind', 'real')).toBe('demo');
  });

  test('gives back rows with ordinary objects and numbers', async () => {
    const id = await house.store.change(tx => addPerson(tx, { firstName: 'Zoë', lastName: 'O’Brien', now: start }));
    const row = await person(house.store.db, id);
    expect(Object.getPrototypeOf(row)).toBe(Object.prototype);
    expect(row).toMatchObject({ id, created_at: start, name_search: 'zoe obrien', security_phone: null });
  });

  test('finds a person by a user ID however it is written, and names by id', async () => {
    const { ann, ben } = await addSchool(house.store);
    expect((await findByIdentity(house.store.db, 'directory', ' ann3001 '))?.id).toBe(ann);
    expect(await findByIdentity(house.store.db, 'local', 'ANN3001')).toBeUndefined();
    expect(await personNames(house.store.db, [ann, ben, 99])).toEqual(
      new Map([
        [ann, 'Ann Ash'],
        [ben, 'Ben Ash'],
      ]),
    );
  });

  test('sorts names by code point, not by the server’s language', async () => {
    for (const firstName of ['b', 'a b', '_', 'ab', '1'])
      await house.store.change(tx => addPerson(tx, { firstName, lastName: '', now: start }));
    const rows = await house.store.db.selectFrom('people').select('name_search').orderBy('name_search').execute();
    expect(rows.map(row => row.name_search)).toEqual(['1', '_', 'a b', 'ab', 'b']);
  });
});
