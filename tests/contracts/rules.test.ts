import { expect, test } from 'vitest';
import { append, latest } from '#store/activity.ts';
import { factsOf } from '#store/facts.ts';
import { addMembership, member, membership, moveVersion, organisationsOf, removeMembership } from '#store/memberships.ts';
import { closeOrganisation } from '#store/organisations.ts';
import { deactivatePerson } from '#store/people.ts';
import { administratorsOf, grantsByPerson, grantsOf, provenance, servicesInUse, servicesOf } from '#store/rights.ts';
import {
  appointAdministrator,
  block,
  dismissAdministrator,
  giveCouncilRole,
  grant,
  revokeGrant,
  rulesAsOf,
  subscribe,
  takeCouncilRole,
  unblock,
  unsubscribe,
} from '#store/rules.ts';
import { addSchool, onEveryStore, start } from './stores.ts';

const hour = 3_600_000;
const now = start;

onEveryStore('the rules', house => {
  const change = <T>(work: Parameters<typeof house.store.change<T>>[0]) => house.store.change(work);
  const values = async (domain: `o:${number}` | 'o:council') =>
    (await factsOf(house.store.db, domain)).rules.map(({ ptype, v }) => [ptype, ...v].join(' '));

  test('of a new organisation let its administrators administer', async () => {
    const { organisation } = await addSchool(house.store);
    const o = `o:${organisation}` as const;
    expect(await values(o)).toEqual([
      `p r:organisation-admin ${o} s:organisation-admin use allow`,
      `p r:organisation-admin ${o} s:organisation-admin grant allow`,
    ]);
  });

  test('of subscriptions, grants, roles and blocks are exactly the rows Casbin is asked with', async () => {
    const { organisation, ann, ben } = await addSchool(house.store);
    const o = `o:${organisation}` as const;
    await change(async tx => {
      await subscribe(tx, { organisation, service: 'hias', grantable: true, by: ann, now });
      await subscribe(tx, { organisation, service: 'efs', grantable: false, by: ann, now });
      await grant(tx, { organisation, person: ben, service: 'hias', endsAt: now + hour, by: ann, now });
      await appointAdministrator(tx, { organisation, person: ann, by: null, now });
      await block(tx, { organisation, person: ben, service: 'efs', reason: 'Left the union', by: ann, now });
      await giveCouncilRole(tx, { person: ann, by: null, now });
    });
    expect((await values(o)).slice(2)).toEqual([
      `p r:hias ${o} s:hias use allow`,
      `p r:organisation-admin ${o} s:hias grant allow`,
      `p r:efs ${o} s:efs use allow`,
      `g u:${ben} r:hias ${o}`,
      `g u:${ann} r:organisation-admin ${o}`,
      `p u:${ben} ${o} s:efs use deny`,
    ]);
    const council = ['p r:council-operator o:council s:council-admin use allow', `g u:${ann} r:council-operator o:council`];
    expect(await values('o:council')).toEqual(council);
    const facts = await factsOf(house.store.db, o);
    expect(facts.rules.find(({ v }) => v[1] === 'r:hias')).toMatchObject({ startsAt: null, endsAt: now + hour });
    expect(facts.open).toBe(true);
    expect(facts.people).toEqual(
      new Map([
        [ann, 'active'],
        [ben, 'active'],
      ]),
    );
    expect((await factsOf(house.store.db, 'o:council')).people).toEqual(new Map([[ann, 'active']]));
  });

  test('say whether anything changed, and are revoked, never deleted', async () => {
    const { organisation, ann, ben } = await addSchool(house.store);
    const right = { organisation, person: ben, service: 'hias' };
    const by = { by: ann, now };
    expect(await change(tx => grant(tx, { ...right, ...by, endsAt: null }))).toBe(true);
    expect(await change(tx => grant(tx, { ...right, ...by, endsAt: null }))).toBe(false);
    expect(await change(tx => grant(tx, { ...right, ...by, endsAt: now + hour }))).toBe(true);
    expect(await change(tx => revokeGrant(tx, { ...right, ...by }))).toBe(true);
    expect(await change(tx => revokeGrant(tx, { ...right, ...by }))).toBe(false);
    expect(await change(tx => dismissAdministrator(tx, { organisation, person: ben, ...by }))).toBe(false);
    expect(await change(tx => unblock(tx, { ...right, ...by }))).toBe(false);
    expect(await change(tx => takeCouncilRole(tx, { person: ben, ...by }))).toBe(false);
    expect(await change(tx => subscribe(tx, { organisation, service: 'hias', grantable: true, ...by }))).toBe(true);
    expect(await change(tx => subscribe(tx, { organisation, service: 'hias', grantable: false, ...by }))).toBe(true);
    expect(await change(tx => unsubscribe(tx, { organisation, service: 'hias', ...by }))).toBe(true);
    const rows = await house.store.db.selectFrom('rules').selectAll().where('ptype', '=', 'g').execute();
    expect(rows.map(row => [row.ends_at, row.revoked_at, row.revoked_by])).toEqual([
      [null, now, ann],
      [now + hour, now, ann],
    ]);
  });

  test('take no id that could pose as something else', async () => {
    const { organisation, ann } = await addSchool(house.store);
    for (const service of ['hias,o:1', 'r:x', 'HIAS', '', 'a b', '-a']) {
      await expect(change(tx => grant(tx, { organisation, person: ann, service, endsAt: null, by: ann, now }))).rejects.toThrow(TypeError);
    }
    for (const person of [0, -1, 1.5, Number.NaN]) {
      await expect(change(tx => grant(tx, { organisation, person, service: 'hias', endsAt: null, by: ann, now }))).rejects.toThrow(
        TypeError,
      );
    }
  });

  test('as of an instant are those given, begun, not over and not revoked then', async () => {
    const { organisation, ann, ben } = await addSchool(house.store);
    const right = { organisation, person: ben, service: 'hias', by: ann };
    await change(tx => grant(tx, { ...right, endsAt: now + 10 * hour, now: now + hour }));
    await change(tx => revokeGrant(tx, { ...right, now: now + 5 * hour }));
    const granted = async (instant: number) => (await rulesAsOf(house.store.db, instant)).filter(rule => rule.ptype === 'g').length;
    expect([await granted(now), await granted(now + hour), await granted(now + 5 * hour - 1), await granted(now + 5 * hour)]).toEqual([
      0, 1, 1, 0,
    ]);
    await change(tx => grant(tx, { ...right, endsAt: now + 8 * hour, now: now + 6 * hour }));
    expect([await granted(now + 8 * hour - 1), await granted(now + 8 * hour)]).toEqual([1, 0]);
  });

  test('answer what screens ask: administrators, services, grants, who gave them', async () => {
    const { organisation, ann, ben } = await addSchool(house.store);
    const { db } = house.store;
    await change(async tx => {
      for (const service of ['hias', 'efs']) await subscribe(tx, { organisation, service, grantable: true, by: null, now });
      await appointAdministrator(tx, { organisation, person: ann, by: null, now });
      await grant(tx, { organisation, person: ben, service: 'hias', endsAt: now + hour, by: ann, now });
    });
    expect((await administratorsOf(db, organisation, now)).map(({ id }) => id)).toEqual([ann]);
    expect(await servicesOf(db, organisation, now)).toEqual(['efs', 'hias']);
    const [given] = await grantsOf(db, organisation, ben, now);
    expect(given).toMatchObject({ service: 'hias', endsAt: now + hour, grantedAt: now, grantedBy: ann });
    expect(await grantsOf(db, organisation, ben, now + hour)).toEqual([]);
    expect(await grantsByPerson(db, organisation, now)).toEqual(
      new Map([
        [ann, { services: [], administrator: true }],
        [ben, { services: ['hias'], administrator: false }],
      ]),
    );
    expect(await provenance(db, given!.id)).toMatchObject({ grantedBy: 'Ann Ash', grantedAt: now, revokedAt: null });
  });

  test('count an administrator only while they belong there and can sign in', async () => {
    const { organisation, ann, ben } = await addSchool(house.store);
    await change(async tx => {
      for (const person of [ann, ben]) await appointAdministrator(tx, { organisation, person, by: null, now });
    });
    const ids = async () => (await administratorsOf(house.store.db, organisation, now)).map(({ id }) => id);
    expect(await ids()).toEqual([ann, ben]);
    await change(tx => deactivatePerson(tx, ann));
    expect(await ids()).toEqual([ben]);
    await change(tx => removeMembership(tx, { organisation, person: ben, by: ann, reason: 'Left', now }));
    expect(await ids()).toEqual([]);
  });

  test('go with the membership, all but a block, and do not come back with it', async () => {
    const { organisation, ann, ben } = await addSchool(house.store);
    const { db } = house.store;
    await change(async tx => {
      await grant(tx, { organisation, person: ben, service: 'hias', endsAt: null, by: ann, now });
      await block(tx, { organisation, person: ben, service: 'efs', reason: 'r', by: ann, now });
    });
    expect(await change(tx => removeMembership(tx, { organisation, person: ben, by: ann, reason: 'Left', now }))).toBe(true);
    expect(await change(tx => removeMembership(tx, { organisation, person: ben, by: ann, reason: 'Left', now }))).toBe(false);
    expect((await factsOf(db, `o:${organisation}`)).people).toEqual(new Map([[ann, 'active']]));
    expect(await organisationsOf(db, ben)).toEqual([]);
    expect(await member(db, organisation, ben)).toBeUndefined();
    expect(await change(tx => addMembership(tx, { organisation, person: ben, now }))).toBe('restored');
    expect(await change(tx => addMembership(tx, { organisation, person: ben, now }))).toBe('already');
    expect(await grantsOf(db, organisation, ben, now)).toEqual([]);
    expect((await values(`o:${organisation}`)).at(-1)).toContain('deny');
  });

  test('let only the form of the present version be saved', async () => {
    const { organisation, ann } = await addSchool(house.store);
    const shown = (await membership(house.store.db, organisation, ann))!.version;
    const saved = await Promise.all([1, 2, 3].map(() => change(tx => moveVersion(tx, organisation, ann, shown))));
    expect(saved.filter(Boolean)).toHaveLength(1);
  });

  test('say that an organisation is closed, and that an unknown one is', async () => {
    const { organisation } = await addSchool(house.store);
    expect(await change(tx => closeOrganisation(tx, organisation, now))).toBe(true);
    expect(await change(tx => closeOrganisation(tx, organisation, now))).toBe(false);
    expect((await factsOf(house.store.db, `o:${organisation}`)).open).toBe(false);
    expect((await factsOf(house.store.db, 'o:999')).open).toBe(false);
  });

  test('are read at one instant with the people: never a right beside a membership that is gone', async () => {
    const { organisation, ann, ben } = await addSchool(house.store);
    const other = await house.another();
    let writing = true;
    const flips = (async () => {
      for (let round = 0; round < 60; round += 1) {
        await change(tx => removeMembership(tx, { organisation, person: ben, by: ann, reason: 'r', now }));
        await change(async tx => {
          await addMembership(tx, { organisation, person: ben, now });
          await grant(tx, { organisation, person: ben, service: 'hias', endsAt: null, by: ann, now });
        });
      }
      writing = false;
    })();
    let reads = 0;
    while (writing) {
      const { people, rules } = await factsOf(other.db, `o:${organisation}`);
      if (rules.some(({ v }) => v[0] === `u:${ben}`)) expect(people.has(ben)).toBe(true);
      reads += 1;
    }
    await flips;
    expect(reads).toBeGreaterThan(0);
  });

  test('the facts say up to which entry of the activity they know', async () => {
    const { organisation, ann } = await addSchool(house.store);
    expect((await factsOf(house.store.db, `o:${organisation}`)).asOf).toBe(await latest(house.store.db));
    const id = await change(tx => append(tx, { at: now, kind: 'access-changed', organisation, person: ann }));
    expect((await factsOf(house.store.db, `o:${organisation}`)).asOf).toBe(id);
    expect((await factsOf(house.store.db, 'o:council')).asOf).toBe(id);
  });

  test('a service is in use while an organisation or somebody has it, will have it or is blocked from it, each counted once', async () => {
    const { organisation, ann, ben } = await addSchool(house.store);
    const other = await addSchool(house.store, '3002');
    const by = { by: ann, now };
    await change(async tx => {
      for (const place of [organisation, other.organisation]) {
        await subscribe(tx, { organisation: place, service: 'efs', grantable: true, ...by });
        await grant(tx, { organisation: place, person: ben, service: 'efs', endsAt: now + hour, ...by });
      }
      await grant(tx, { organisation, person: ann, service: 'efs', endsAt: null, ...by });
      await block(tx, { organisation, person: ann, service: 'efs', reason: 'r', ...by });
      await grant(tx, { organisation, person: ben, service: 'mopp', endsAt: now + hour, ...by });
      await block(tx, { organisation, person: ben, service: 'hias', reason: 'r', ...by });
      await appointAdministrator(tx, { organisation, person: ann, ...by });
      await giveCouncilRole(tx, { person: ann, ...by });
    });
    const inUse = async (at: number) =>
      (await servicesInUse(house.store.db, at)).map(one => `${one.service} ${one.organisations} ${one.people}`).sort();
    expect(await inUse(now)).toEqual(['efs 2 2', 'hias 0 1', 'mopp 0 1']);
    expect(await inUse(now + hour)).toEqual(['efs 2 1', 'hias 0 1']);
    await change(tx => unblock(tx, { organisation, person: ben, service: 'hias', ...by }));
    expect(await inUse(now + hour)).toEqual(['efs 2 1']);
  });
});
