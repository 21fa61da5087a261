import { afterAll, beforeAll, expect, test } from 'vitest';
import { append } from '#store/activity.ts';
import { appointAdministrator, dismissAdministrator } from '#store/rules.ts';
import { asAdministrator, idOf, school, textOf } from '#tests/admin-ui-steps.ts';
import { type Browser, startApp, type TestApp } from '#tests/app.ts';

let app: TestApp;
let siobhan: Browser;
/** Runs when the guards have let a request through and its change is about to begin. */
let beforeChange: (() => Promise<void>) | null = null;

beforeAll(async () => {
  app = await startApp({
    change: deps => ({
      ...deps,
      store: {
        ...deps.store,
        async change(work) {
          const first = beforeChange;
          beforeChange = null;
          await first?.();
          return deps.store.change(work);
        },
      },
    }),
  });
  siobhan = await asAdministrator(app, 'SOBRIE4');
});
afterAll(() => app.close());

async function setAdministrator(administrator: boolean): Promise<void> {
  const [person, now] = [await idOf(app, 'SOBRIE4'), app.clock.now];
  const rule = { organisation: 2, person, by: null, now };
  await app.store.change(async tx => {
    await (administrator ? appointAdministrator(tx, rule) : dismissAdministrator(tx, rule));
    await append(tx, { at: now, kind: administrator ? 'administrator-appointed' : 'administrator-dismissed', organisation: 2, person });
  });
}

test.each([
  ['changes nobody’s access', '', { services: 'hms' }],
  ['removes nobody', '/remove', { reason: 'left' }],
  ['deletes no phone', '/security-phone/delete', {}],
  ['invites nobody', 'new', { step: 'details', firstName: 'Una', lastName: 'Ash', email: 'una@a.example' }],
])('an administrator dismissed while the form was on its way %s', async (_, path, fields) => {
  await setAdministrator(true);
  const people = `${app.portal}${school}/people/`;
  const address = path === 'new' ? people + path : `${people}${await idOf(app, 'LHADDA5')}${path}`;
  const page = await siobhan.get(address);
  expect(page.status).toBe(200);
  const state = async () => {
    const { db } = app.store;
    const memberships = db.selectFrom('memberships').selectAll();
    const registered = db.selectFrom('people').selectAll();
    const rules = db
      .selectFrom('rules')
      .selectAll()
      .where('v0', '!=', `u:${await idOf(app, 'SOBRIE4')}`);
    // Earlier messages may be on their way meanwhile.
    const messages = db.selectFrom('outbox').select(['id', 'person_id', 'template', 'recipient']);
    return Promise.all([memberships.execute(), registered.execute(), rules.execute(), messages.execute()]);
  };
  const before = await state();
  beforeChange = () => setAdministrator(false);
  const answer = await siobhan.submit(address, page, fields);
  expect(answer.status).toBe(403);
  expect(textOf(answer)).toContain('You are not an Organisation Administrator');
  expect(await state()).toEqual(before);
});
