import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { asAdministrator, idOf, innovations, school, textOf, titleOf } from '#tests/admin-ui-steps.ts';
import { type Browser, startApp, type TestApp } from '#tests/app.ts';

let app: TestApp;
let james: Browser;
let helen: Browser;

beforeAll(async () => {
  app = await startApp();
  james = await asAdministrator(app, 'JHOWEL12');
  helen = await asAdministrator(app, 'HMARSH3', '07700 900103');
});
afterAll(() => app.close());

const address = (organisation = innovations) => `${app.portal}${organisation}/people/new`;
const details = { firstName: 'Una', lastName: 'Ash', email: 'una.ash@innovations.example', phone: '' };
const send = async (browser: Browser, fields: Record<string, string>, organisation = innovations) =>
  browser.submit(address(organisation), await browser.get(`${address(organisation)}?account=no`), fields);
const lettersTo = async (email: string) => (await app.outbox()).filter(message => message.to === email);

describe('the question', () => {
  test('comes first, and must be answered', async () => {
    const page = await james.get(address());
    expect(titleOf(page)).toBe('Register new user – Services Portal');
    expect(textOf(page)).toContain('Does this person have an Education account?');
    const bare = await james.submit(address(), page, {});
    expect(bare.status).toBe(422);
    expect(bare.body).toContain('href="#account"');
    expect((await james.submit(address(), page, { account: 'no' })).url).toBe(`${address()}?account=no`);
  });

  test.each(['yes', 'not-sure'])(
    '%s explains where accounts are made, by the organisation’s way, without a form (S58–S64)',
    async account => {
      const own = await james.submit(address(), await james.get(address()), { account });
      expect(textOf(own)).toContain('Education Account Management Website (EAMW)');
      expect(textOf(own)).toContain('Users created in EAMW are not set up for SIMS');
      expect(own.body).not.toContain('name="email"');
      const other = await helen.submit(address(school), await helen.get(address(school)), { account });
      expect(textOf(other)).toMatch(/SIMS AD provisioning.*staff ADP list report.*EAMW/);
    },
  );
});

describe('an invitation', () => {
  test('makes a person without access, and sends a link that works once', async () => {
    const page = await send(james, { ...details, phone: '01632 960001' });
    expect(page.url).toMatch(/people\/\d+\?saved=\d+$/);
    expect(textOf(page)).toContain('Una Ash has been added to Innovations PLC - SP3');
    expect(page.body).not.toContain('checked');
    const [letter] = await lettersTo(details.email);
    const link = /http\S*set-password\S*/.exec(letter?.text ?? '')?.[0] ?? '';
    expect(app.log()).not.toContain(link.split('token=')[1]);
    const una = app.browser();
    const form = await una.get(link);
    await una.submit(form.url.split('?')[0] ?? '', form, { password: 'a long enough passphrase' });
    const page2 = await una.get(`${app.portal}/sign-in`);
    const signedIn = await una.submit(`${app.portal}/sign-in`, page2, { user_id: details.email, password: 'a long enough passphrase' });
    expect(signedIn.body).toContain('Hello Una');
  });

  test.each([
    ['firstName', '  ', 'Enter a first name'],
    ['lastName', '', 'Enter a last name'],
    ['lastName', 'x'.repeat(101), 'The last name must be 100 characters or fewer'],
    ['email', 'ken', 'Enter an email address in the correct format, like name@example.com'],
    ['email', 'a@b.example, c@d.example', 'Enter an email address in the correct format, like name@example.com'],
    ['email', 'una@evil.example@innovations.example', 'Enter an email address in the correct format, like name@example.com'],
    ['email', 'a@b.example\r\nBcc: c@d.example', 'Enter an email address in the correct format, like name@example.com'],
    ['email', 'office@innovations.example', 'Enter a work email address for one person, not a shared address like office@'],
    ['email', 'James.Howell@innovations.example', 'You cannot register yourself'],
    ['email', 'KEN.hcc@ola.example', 'Ken is already in your organisation'],
    ['phone', 'ask me', 'Enter a phone number, like 01632 960 001'],
  ])('with %s %j is refused, and what was typed is kept', async (field, value, words) => {
    const typed = { ...details, email: 'somebody@innovations.example', [field]: value };
    const page = await send(james, typed);
    expect(page.status).toBe(422);
    expect(titleOf(page)).toMatch(/^Error: /);
    expect(page.body).toContain(`<a href="#${field}">${words}</a>`);
    expect(page.body).toContain(`value="${typed.firstName}"`);
    if (words.includes('already')) expect(page.body).toContain(`href="${innovations}/people/${await idOf(app, 'KEN144')}"`);
  });

  test('pressed twice makes one person and one letter (A17)', async () => {
    const email = 'twice@innovations.example';
    const page = await james.get(`${address()}?account=no`);
    const answers = await Promise.all([1, 2].map(() => james.submit(address(), page, { ...details, email }, { follow: false })));
    expect(answers.map(answer => answer.status).sort()).toEqual([303, 422]);
    expect(await lettersTo(email)).toHaveLength(1);
    expect(await app.store.db.selectFrom('people').selectAll().where('email', '=', email).execute()).toHaveLength(1);
  });

  test('of somebody registered elsewhere adds them here, keeps their name and tells nothing of elsewhere', async () => {
    const email = 'Paul@Innovations.example';
    const page = await send(helen, { firstName: 'Wrong', lastName: 'Name', email, phone: '' }, school);
    expect(textOf(page)).toContain('Paul has been added to Itchen Meadow Primary School');
    expect(page.body).not.toContain('Innovations PLC');
    const person = await app.store.db
      .selectFrom('people')
      .selectAll()
      .where('id', '=', await idOf(app, 'paul@innovations.example'))
      .executeTakeFirstOrThrow();
    expect([person.first_name, person.last_name]).toEqual(['Paul', '']);
    const [letter] = await lettersTo('paul@innovations.example');
    expect(letter?.text).toContain('Member of Itchen Meadow Primary School');
    expect(letter?.text).not.toContain('set-password');
  });

  test('of somebody removed before brings them back without access', async () => {
    const email = 'carlospictor@pictor.example';
    const carl = `${app.portal}${innovations}/people/${await idOf(app, email)}`;
    await james.submit(carl, await james.get(carl), { services: ['efs'] });
    await james.submit(`${carl}/remove`, await james.get(`${carl}/remove`), { reason: 'left' });
    const page = await send(james, { ...details, email });
    expect(textOf(page)).toContain('Carl has been added');
    expect(page.body).not.toContain('checked');
  });

  test('is not sent for another organisation, nor by somebody who administers none', async () => {
    const form = await james.get(`${address()}?account=no`);
    expect((await james.submit(address(school), form, { ...details, email: 'x@a.example' })).status).toBe(404);
    const ken = await app.signIn('KEN144');
    expect((await ken.submit(address(), await ken.get(`${app.portal}/`), { ...details, email: 'y@a.example' })).status).toBe(403);
    expect([...(await lettersTo('x@a.example')), ...(await lettersTo('y@a.example'))]).toEqual([]);
  });
});
