import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addLink } from '#store/links.ts';
import { type Answer, startApp, type TestApp } from '#tests/app.ts';
import { errorOf, headingOf, idsOf, visit } from '#tests/visits.ts';

const WRONG = 'The user ID or password is not correct';

let app: TestApp;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.close());

const url = (path: string) => `${app.portal}${path}`;

async function tryToSignIn(fields: { user_id: string; password: string }): Promise<Answer> {
  const browser = app.browser();
  return browser.submit(url('/sign-in'), await browser.get(url('/sign-in')), fields, { follow: false });
}

describe('a forgotten password', () => {
  const askFor = async (email: string, browser = app.browser()) =>
    browser.submit(url('/forgot-password/email'), await browser.get(url('/forgot-password/email')), { email });
  const linkIn = async (to: string): Promise<string> => {
    const message = (await app.outbox()).find(one => one.to === to && one.text.includes('/set-password?token='));
    return /http:\S+\/set-password\?token=[A-Za-z0-9_-]{43}/.exec(message?.text ?? '')?.[0] ?? 'none';
  };
  const setPassword = async (link: string, password: string | string[], browser = app.browser()) => {
    const page = await browser.get(link);
    return { page, answer: await browser.submit(url('/set-password'), page, { password }, { follow: false }) };
  };
  const paul = 'paul@innovations.example';
  /** A link as the message would carry it; asking for it takes its time on purpose. */
  const linkFor = async (userId: string): Promise<string> => {
    const { person } = await idsOf(app, userId, 'SP3');
    const { now } = app.clock;
    const token = await app.store.change(tx => addLink(tx, { person, purpose: 'reset', now, expiresAt: now + 3_600_000 }));
    return url(`/set-password?token=${token}`);
  };

  test('is answered alike for known, unknown and directory accounts, and only the known one gets a link', async () => {
    const before = (await app.outbox()).length;
    const asked = ['nobody@nowhere.example', 'ken.hcc@ola.example', 'carlospictor@pictor.example'];
    const pages = await Promise.all(asked.map(email => askFor(email)));
    for (const page of pages)
      expect([page.status, page.body.replaceAll(/value="[^"]*"/g, '')]).toEqual([200, pages[0]!.body.replaceAll(/value="[^"]*"/g, '')]);
    expect(headingOf(pages[0]!.body)).toBe('Check your email');
    const sent = (await app.outbox()).slice(0, (await app.outbox()).length - before);
    expect(sent.map(({ to, kind }) => [to, kind])).toEqual([['carlospictor@pictor.example', 'email']]);
  });

  test.each([
    'x',
    'a@b',
    'a b@c.example',
    'a@c.example,evil@c.example',
    'a@c.example\r\nBcc: evil@c.example',
    '"a"@c.example',
    '<a@c.example>',
  ])('%j is no address', async email => expect((await askFor(email)).status).toBe(422));

  test('is set by its link once, by sending the form and not by opening it, and ends every session', async () => {
    const old = await visit(app, paul);
    await askFor(paul);
    const link = await linkIn(paul);
    for (let opened = 0; opened < 3; opened++) expect(headingOf((await app.browser().get(link)).body)).toBe('Choose a new password');
    const { page, answer } = await setPassword(link, 'correct horse battery');
    // Without `Origin: null`, which no-referrer would make of it, browsers could not send the form.
    expect(page.headers['referrer-policy']).toBe('same-origin');
    expect([answer.status, answer.headers.location]).toEqual([303, '/sign-in?reason=password-set']);
    expect((await old.browser.get(url('/organisation'), { follow: false })).status).toBe(302);
    expect((await old.browser.get(`http://${old.host}/efs/`, { follow: false })).status).toBe(302);
    expect(errorOf(await tryToSignIn({ user_id: paul, password: 'thistle-window-88' }))).toContain(WRONG);
    expect((await tryToSignIn({ user_id: paul, password: 'correct horse battery' })).status).toBe(303);
    const again = await setPassword(link, 'another good password');
    expect([again.page.status, headingOf(again.page.body)]).toEqual([410, 'This link no longer works']);
    expect((await app.outbox())[0]).toMatchObject({ to: paul, kind: 'email' });
    expect(app.log()).not.toContain(new URL(link).searchParams.get('token'));
  });

  test('a form kept open cannot use the link a second time', async () => {
    const link = await linkFor(paul);
    const browsers = [app.browser(), app.browser(), app.browser()];
    const pages = await Promise.all(browsers.map(browser => browser.get(link)));
    const answers = await Promise.all(
      browsers.map((browser, index) =>
        browser.submit(url('/set-password'), pages[index]!, { password: `a-new-password-${index}` }, { follow: false }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([303, 410, 410]);
  });

  test('ends with its hour', async () => {
    const link = await linkFor(paul);
    app.clock.now += 60 * 60_000 - 1;
    expect((await app.browser().get(link)).status).toBe(200);
    app.clock.now += 1;
    expect((await app.browser().get(link)).status).toBe(410);
  });

  test('can be asked for three times an hour, however fast', async () => {
    await app.store.db.deleteFrom('attempts').execute();
    const before = (await app.outbox()).length;
    const pages = await Promise.all(Array.from({ length: 9 }, () => askFor(paul)));
    for (const page of pages) expect(headingOf(page.body)).toBe('Check your email');
    expect((await app.outbox()).length - before).toBeLessThanOrEqual(3);
  });

  test.each([
    ['too short', 'seven77', 'Your password must be 8 characters or more'],
    ['too long', 'x7'.repeat(65), 'Your password must be 128 characters or fewer'],
    ['nothing', '', 'Enter a password'],
    ['two of them', ['a-good-password', 'another-one'], 'Enter a password'],
    ['their address', 'Paul@Innovations.example', 'Choose a password that is not your name or email address'],
    ['one that everybody has', 'Sunshine1!', 'Choose a password that is harder to guess'],
    ['one from the leaks', 'qwertyuiop', 'Choose a password that is harder to guess'],
    ['one letter', 'aaaaaaaaaaaa', 'Choose a password that is harder to guess'],
  ])('cannot be %s', async (_what, password, why) => {
    const { answer } = await setPassword(await linkFor(paul), password);
    expect([answer.status, errorOf(answer)]).toEqual([422, why]);
    expect(answer.body).not.toContain('value="a-good-password"');
  });

  test.each(['a pass phrase with spaces', 'ünïcödé-пароль-密码', '12345678 but longer', `"'<&>;--${'x'.repeat(100)}`])(
    'may be %s, exactly as typed',
    async password => {
      await app.store.db.deleteFrom('attempts').execute();
      expect((await setPassword(await linkFor(paul), password)).answer.status).toBe(303);
      expect((await tryToSignIn({ user_id: paul, password })).status).toBe(303);
      expect((await tryToSignIn({ user_id: paul, password: `${password} ` })).status).toBe(422);
    },
  );

  test.each(['', '?token=', '?token=x', `?token=${'A'.repeat(43)}`, `?token=${'A'.repeat(43)}&token=x`])('“%s” is no link', async query => {
    expect((await app.browser().get(url(`/set-password${query}`))).status).toBe(410);
  });
});
