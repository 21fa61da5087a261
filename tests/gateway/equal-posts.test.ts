import { afterAll, beforeAll, expect, test } from 'vitest';
import { asAdministrator, idOf, innovations, titleOf } from '#tests/admin-ui-steps.ts';
import { type Browser, startApp, type TestApp } from '#tests/app.ts';

// A double click, a browser that tries again, two tabs: the same form arrives many times at once.
const TIMES = 20;

let app: TestApp;
let admin: Browser;
beforeAll(async () => {
  app = await startApp();
  admin = await asAdministrator(app, 'JHOWEL12');
});
afterAll(() => app.close());

const entries = () => app.store.db.selectFrom('activity').select(['id', 'kind']).orderBy('id').execute();
const messages = () => app.store.db.selectFrom('outbox').select('id').execute();

/** Sends one form many times at once, and says what was answered and what is there that was not before. */
async function sendMany(address: string, fields: Record<string, string | string[]>) {
  const form = await admin.get(app.portal + address);
  const [entriesBefore, messagesBefore] = [await entries(), await messages()];
  const send = () => admin.submit(app.portal + address, form, fields, { follow: false });
  const answers = await Promise.all(Array.from({ length: TIMES }, send));
  return {
    answers,
    written: (await entries()).slice(entriesBefore.length).map(({ kind }) => kind),
    messages: (await messages()).length - messagesBefore.length,
  };
}

test('twenty equal posts of somebody’s rights are one change, one entry and one mail [fault 26]', async () => {
  const ken = `${innovations}/people/${await idOf(app, 'KEN144')}`;
  const { answers, written, messages: queued } = await sendMany(ken, { services: ['trailblazer', 'mopp'] });
  expect(written).toEqual(['access-changed']);
  expect(queued).toBe(1);
  // Whoever saved hears of it, and so does whoever pressed twice: what they asked for is so.
  expect(answers.filter(({ status }) => status === 303).length).toBeGreaterThan(0);
  for (const { status } of answers) expect([303, 409]).toContain(status);
  const mails = (await app.outbox()).filter(({ kind, to }) => kind === 'email' && to.startsWith('ken'));
  expect(mails).toHaveLength(1);
  expect(titleOf(await admin.get(app.portal + ken))).toContain('Ken');
});

test('twenty equal posts that ask for a code are one text message [fault 26]', async () => {
  const browser = await app.signIn('HMARSH3');
  const form = await browser.get(`${app.portal}/security-phone`);
  const before = await messages();
  const send = () => browser.submit(`${app.portal}/security-phone`, form, { phone: '07700 900982' }, { follow: false });
  const answers = await Promise.all(Array.from({ length: TIMES }, send));
  for (const { status } of answers) expect(status).toBeLessThan(500);
  expect((await messages()).length - before.length).toBe(1);
});
