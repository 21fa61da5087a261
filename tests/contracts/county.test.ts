import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Question } from '#policies/decision.ts';
import { toCsv } from '#policies/export.ts';
import { createPolicies } from '#policies/policies.ts';
import { openStore, type Store } from '#store/database.ts';
import { factsOf } from '#store/facts.ts';
import { applyImport } from '#store/import-people.ts';
import { rulesAsOf } from '#store/rules.ts';
import { type CountySize, giveRights, peopleRows, servicesOf } from '../../bench/county.ts';
import { compareWithCasbin, kinds } from '../../bench/county-questions.ts';
import { visitsOf } from '../../bench/visitors.ts';

// A hundredth of a county: what bench/scale.ts measures at full size must hold at any size.
const size: CountySize = { organisations: 20, people: 1_200, grants: 5_000, services: 50 };
const now = Date.UTC(2019, 2, 4, 9);
const dir = mkdtempSync(join(tmpdir(), 'portal-county-'));
let store: Store;

beforeAll(async () => {
  store = await openStore({ file: join(dir, 'county.sqlite') });
  const importing = { now, sealKey: Buffer.alloc(32), linkAddress: null, invitationMs: 1 };
  const results = await applyImport(store, [...peopleRows(size)], importing);
  expect(new Set(results.map(({ outcome }) => outcome))).toEqual(new Set(['new', 'changed']));
  await giveRights(store, size, now);
}, 120_000);
afterAll(async () => {
  await store.close();
  rmSync(dir, { recursive: true });
});

function countyPolicies() {
  const read: string[] = [];
  const policies = createPolicies({
    factsOf: domain => {
      read.push(domain);
      return factsOf(store.db, domain);
    },
    service: id => (servicesOf(size).includes(id) ? { live: () => true } : undefined),
    now: () => now,
  });
  return { policies, read };
}

test('a county is drawn as large as it was asked for, and the same every time', async () => {
  const count = async (table: 'people' | 'organisations' | 'rules') => (await store.db.selectFrom(table).select('id').execute()).length;
  expect([await count('organisations'), await count('people')]).toEqual([20, 1_200]);
  const grants = await store.db.selectFrom('rules').select('v1').where('ptype', '=', 'g').execute();
  expect(grants.length).toBeGreaterThan(4_000);
  expect(grants.length).toBeLessThan(6_000);
  expect([...peopleRows(size)]).toEqual([...peopleRows(size)]);
  const shared = await store.db.selectFrom('memberships').select('person_id').execute();
  expect(shared.length).toBeGreaterThan(1_220);
});

test('the visitors of the bench come from as many organisations as there are, and may open what they ask for', async () => {
  const env = { DATA_DIR: dir, SESSION_KEYS: Buffer.alloc(32, 1).toString('base64') };
  const visits = await visitsOf(store, env, size, 30);
  const sessions = await store.db.selectFrom('sessions').select(['person_id', 'organisation_id']).execute();
  expect([visits.length, sessions.length]).toEqual([30, 30]);
  const perOrganisation = [...Map.groupBy(sessions, row => row.organisation_id).values()].map(rows => rows.length);
  expect(perOrganisation.toSorted()).toEqual([...Array(10).fill(1), ...Array(10).fill(2)]);
  expect(new Set(sessions.map(row => row.person_id)).size).toBe(30);
  const few = await visitsOf(store, env, size, 5);
  const places = await store.db.selectFrom('sessions').select('organisation_id').where('id', '>', 30).orderBy('id').execute();
  expect([few.length, ...places.map(row => row.organisation_id)]).toEqual([5, 1, 5, 9, 13, 17]);
});

test('20,000 decisions are those of Casbin’s own enforceSync on the exported rules', { timeout: 120_000 }, async () => {
  const { policies } = countyPolicies();
  const csv = toCsv(await rulesAsOf(store.db, now), now);
  const asked = await compareWithCasbin({ db: store.db, policies, csv, services: servicesOf(size), each: 1_000, at: now });
  expect(asked.differences).toEqual([]);
  for (const kind of kinds) expect(asked[kind], kind).toBe(2_500);
  expect(asked.allowed).toBeGreaterThan(2_000);
  expect(asked.denied).toBeGreaterThan(10_000);
});

test('a change drops the enforcer of its organisation and nothing else', async () => {
  const { policies, read } = countyPolicies();
  const rows = await store.db.selectFrom('memberships').select(['organisation_id', 'person_id']).orderBy('person_id').execute();
  const question = (row: (typeof rows)[number]): Question => {
    return { person: row.person_id, organisation: row.organisation_id, service: 'service-01', action: 'use' };
  };
  for (const row of rows) await policies.decide(question(row));
  const before = policies.sizes();
  expect([before.enforcers, read.length]).toEqual([20, 20]);

  const [first] = rows;
  policies.changed(`o:${first!.organisation_id}`);
  expect(policies.sizes().enforcers).toBe(19);
  for (const row of rows)
    if (row.organisation_id !== first!.organisation_id) expect(policies.decide(question(row))).not.toBeInstanceOf(Promise);
  await policies.decide(question(first!));
  expect(read.length).toBe(21);
  expect(policies.sizes().weight).toBe(before.weight);
});
