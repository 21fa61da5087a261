import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, type Browser, startApp, type TestApp } from '#tests/app.ts';
import { ask } from '#tests/raw-http.ts';
import { cookiesOf, errorOf, headingOf, hostOf, idsOf, visit } from '#tests/visits.ts';

const WRONG = 'The user ID or password is not correct';
const THROTTLED = 'You have tried to sign in too many times. Wait 20 minutes and try again';
const right = { user_id: 'WENDY166', password: 'heron-basket-166' };

let app: TestApp;
/** What the directory was asked: nothing reaches it, and no hash is made, once an account is throttled. */
const checked: string[] = [];
beforeAll(async () => {
  app = await startApp({
    env: { SIGN_IN_TRIES: '4', SIGN_IN_WAIT_MINUTES: '20', SIGN_IN_ADDRESS_TRIES: '6', TRUSTED_PROXIES: '127.0.0.1', LOG_LEVEL: 'trace' },
    change: deps => ({
      ...deps,
      directory: {
        check(userId, password) {
          checked.push(userId);
          return deps.directory!.check(userId, password);
        },
      },
    }),
  });
});
afterAll(() => app.close());

let neighbours = 0;
/** An address of one's own for each attempt, as the proxy in front says it. */
const from = (address = `198.51.${Math.floor(++neighbours / 250)}.${neighbours % 250}`) => ({ 'x-forwarded-for': address });
const url = (path: string) => `${app.portal}${path}`;

async function tryToSignIn(
  fields: Record<string, string | string[]>,
  headers: Record<string, string> = from(),
  browser = app.browser(),
): Promise<Answer> {
  return browser.submit(url('/sign-in'), await browser.get(url('/sign-in')), fields, { headers, follow: false });
}
describe('signing in', () => {
  test.each([
    ['an Education user ID', 'WENDY166', 'heron-basket-166'],
    ['in any case, with spaces around it', '  wendy166 ', 'heron-basket-166'],
    ['in full-width letters', 'ＷＥＮＤＹ１６６', 'heron-basket-166'],
    ['a council user ID', 'ITCSJT', 'pebble-compass-31'],
    ['a registered e-mail address', 'Paul@Innovations.example', 'thistle-window-88'],
  ])('works with %s', async (_what, user_id, password) => {
    const answer = await tryToSignIn({ user_id, password });
    expect([answer.status, answer.headers.location]).toEqual([303, '/']);
  });

  test.each([
    ['a wrong password', { user_id: 'KEN144', password: 'x' }],
    ['an invented name', { user_id: 'NOBODY99', password: 'x' }],
    ['an invented e-mail address', { user_id: 'nobody@nowhere.example', password: 'x' }],
    ['a registered address with a wrong password', { user_id: 'carlospictor@pictor.example', password: 'x' }],
    ['a password with a space too many', { user_id: 'KEN144', password: 'copper-kettle-144 ' }],
    ['a password in capitals', { user_id: 'KEN144', password: 'COPPER-KETTLE-144' }],
    ['a password ended by a zero byte', { user_id: 'carlospictor@pictor.example', password: 'juniper-candle-63\0' }],
    ['an Education account’s e-mail address', { user_id: 'ken.hcc@ola.example', password: 'copper-kettle-144' }],
    ['a statement for a database', { user_id: "' OR 1=1 --", password: 'x' }],
    ['a name of the language', { user_id: '__proto__', password: 'x' }],
  ])('says the same for %s', async (_what, fields) => {
    const answer = await tryToSignIn(fields);
    expect([answer.status, errorOf(answer).slice(0, WRONG.length)]).toEqual([422, WRONG]);
    expect(answer.headers['set-cookie'] ?? '').not.toMatch(/portal=/);
    const first = await tryToSignIn({ user_id: 'KEN144', password: 'y' });
    const written = (page: Answer, user: string) =>
      page.body.replaceAll(/name="_csrf" value="[^"]*"/g, '').replaceAll(`value="${user}"`, '');
    if (fields.user_id.match(/^[\w@.]+$/)) expect(written(answer, fields.user_id)).toBe(written(first, 'KEN144'));
    await app.store.db.deleteFrom('attempts').execute();
  });

  test('never writes the password back into the page', async () => {
    const answer = await tryToSignIn({ user_id: '"><script>alert(1)</script>', password: 'heron-secret' });
    expect(answer.body).not.toContain('heron-secret');
    expect(answer.body).not.toContain('<script>alert');
  });

  test.each([
    [{ user_id: ['KEN144', 'WENDY166'], password: 'heron-basket-166' }],
    [{ user_id: 'WENDY166', password: ['x', 'heron-basket-166'] }],
    [{ 'user_id[]': 'WENDY166', password: 'heron-basket-166' }],
    [{ user_id: '', password: 'heron-basket-166' }],
    [{ user_id: 'WENDY166', password: '' }],
    [{ user_id: 'W'.repeat(300), password: 'x' }],
    [{ user_id: 'WENDY166', password: 'x'.repeat(2000) }],
  ] as Record<string, string | string[]>[][])('asks again for %o', async fields => {
    const answer = await tryToSignIn(fields);
    expect([answer.status, cookiesOf(app.browser(), 'portal')]).toEqual([422, '']);
    expect(errorOf(answer)).not.toBe('');
  });

  test('somebody who has left cannot come in', async () => {
    const { person } = await idsOf(app, 'MIKE122', 'SP3');
    await app.store.db.updateTable('people').set({ active: 0 }).where('id', '=', person).execute();
    const answer = await tryToSignIn({ user_id: 'MIKE122', password: 'saddle-orchard-122' });
    expect([answer.status, errorOf(answer).slice(0, WRONG.length)]).toEqual([422, WRONG]);
  });

  test.each([
    ['https://evil.example/', '/'],
    ['//evil.example/', '/'],
    ['/\\evil.example', '/'],
    ['javascript:alert(1)', '/'],
    ['/sign-in?return=/x', '/'],
    ['/sign-out', '/'],
    ['/help#x', '/help'],
    ['/organisation?return=%2F', '/organisation?return=%2F'],
  ])('with %s to come back to leads to %s #67', async (to, place) => {
    expect((await tryToSignIn({ ...right, return: to })).headers.location).toBe(place);
    const signedIn = await app.signIn('BEN155');
    const asked = await signedIn.get(url(`/sign-in?${new URLSearchParams({ return: to })}`), { follow: false });
    expect([asked.status, asked.headers.location]).toEqual([302, place]);
  });
});

test('an address to come back to that is given twice counts once', async () => {
  const page = await app.browser().get(url('/sign-in?return=%2Fhelp&return=%2Forganisation&reason=signed-out&reason=x'));
  expect(page.status).toBe(200);
  expect(page.body).toContain('name="return" value="/help"');
});

describe('too many wrong passwords', () => {
  test.each([
    ['an account', 'OLLIE199', 'ollie199'],
    ['an invented name', 'NOBODY7', ' Nobody7'],
    ['an invented address', 'nobody@void.example', 'NOBODY@void.example'],
  ])(
    'for %s: refused before anything is checked #83, however it is spelled #82, in its own words, for as long as is set',
    async (_what, name, alike) => {
      for (let tries = 0; tries < 4; tries++)
        expect(errorOf(await tryToSignIn({ user_id: tries % 2 ? name : alike, password: 'x' }))).toContain(WRONG);
      checked.length = 0;
      for (const user_id of [name, alike]) expect(errorOf(await tryToSignIn({ user_id, password: 'marble-ferry-199' }))).toBe(THROTTLED);
      expect(checked).toEqual([]);
      app.clock.now += 20 * 60_000 + 1;
      const password = name === 'OLLIE199' ? 'marble-ferry-199' : 'x';
      const answer = await tryToSignIn({ user_id: name, password });
      expect([answer.status, errorOf(answer).slice(0, WRONG.length)]).toEqual(name === 'OLLIE199' ? [303, ''] : [422, WRONG]);
    },
  );

  test('are counted though they come at once: a burst gets no more tries', async () => {
    const browser = app.browser();
    const form = await browser.get(url('/sign-in'));
    checked.length = 0;
    const answers = await Promise.all(
      Array.from({ length: 30 }, () => browser.submit(url('/sign-in'), form, { user_id: 'JSMITH12', password: 'x' }, { headers: from() })),
    );
    expect(checked.length).toBeLessThanOrEqual(4);
    expect(answers.filter(answer => errorOf(answer) === THROTTLED).length).toBeGreaterThanOrEqual(26);
  });

  test('from one address never stop another account’s right password', async () => {
    const school = from('203.0.113.9');
    for (let guess = 0; guess < 6; guess++) await tryToSignIn({ user_id: `GUESS${guess}`, password: 'x' }, school);
    expect((await tryToSignIn({ user_id: 'HMARSH3', password: 'bramble-station-3' }, school)).status).toBe(303);
    for (let tries = 0; tries < 3; tries++)
      expect(errorOf(await tryToSignIn({ user_id: 'GUESSMORE', password: 'x' }, school))).toContain(WRONG);
    expect(errorOf(await tryToSignIn({ user_id: 'GUESSMORE', password: 'x' }, school))).toBe(THROTTLED);
    expect(errorOf(await tryToSignIn({ user_id: 'GUESSMORE', password: 'x' }))).toContain(WRONG);
  });

  test('are forgotten after a right one', async () => {
    for (let round = 0; round < 2; round++) {
      for (let tries = 0; tries < 3; tries++) await tryToSignIn({ user_id: 'SOBRIE4', password: 'x' });
      expect((await tryToSignIn({ user_id: 'SOBRIE4', password: 'granite-meadow-4' })).status).toBe(303);
    }
  });
});

describe('a form', () => {
  const asForm = (fields: Record<string, string>) => new URLSearchParams(fields).toString();
  const tokenOf = (answer: Answer) => /name="_csrf" value="([^"]+)"/.exec(answer.body)?.[1] ?? '';
  /** Changes to another organisation if it is let: something only a signed-in person's own form may do. */
  async function change(browser: Browser, fields: Record<string, string>, headers: Record<string, string> = {}): Promise<number> {
    const { organisation } = await idsOf(app, 'OLLIE199', 'SP3');
    const answer = await browser.get(url('/organisation'), {
      method: 'POST',
      follow: false,
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body: asForm({ organisation: String(organisation), ...fields }),
    });
    return answer.status;
  }
  const signedIn = async (): Promise<Browser> => {
    await app.store.db.deleteFrom('attempts').execute();
    return app.signIn('OLLIE199');
  };

  test('of the person’s own session is taken', async () => {
    const browser = await signedIn();
    const _csrf = tokenOf(await browser.get(url('/organisation')));
    expect(await change(browser, { _csrf })).toBe(303);
    expect(await change(browser, { _csrf }, { origin: app.portal, 'sec-fetch-site': 'same-origin' })).toBe(303);
  });

  test.each([
    ['from a legacy page', { 'sec-fetch-site': 'same-site' }],
    ['from another website', { 'sec-fetch-site': 'cross-site' }],
    ['from nowhere', { 'sec-fetch-site': 'none' }],
    ['with two answers to where from', { 'sec-fetch-site': 'same-origin, cross-site' }],
    ['of a legacy host', { origin: 'LEGACY' }],
    ['of a foreign origin', { origin: 'https://evil.example' }],
    ['of an opaque origin', { origin: 'null' }],
    ['of our host by another scheme', { origin: 'HTTPS' }],
    [
      'of an origin that says the one thing and a browser that says the other',
      { origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' },
    ],
  ])('%s is refused with the right token', async (_what, said: Record<string, string>) => {
    const browser = await signedIn();
    const _csrf = tokenOf(await browser.get(url('/organisation')));
    const origin = said.origin?.replace('LEGACY', `http://${hostOf(app, 'www3')}`).replace('HTTPS', app.portal.replace('http:', 'https:'));
    expect(await change(browser, { _csrf }, { ...said, ...(origin ? { origin } : {}) })).toBe(403);
  });

  test('without the token, or with any other, is refused #73', async () => {
    const browser = await signedIn();
    const own = tokenOf(await browser.get(url('/organisation')));
    const foreign = tokenOf(await (await app.signIn('BEN155')).get(url('/organisation')));
    const anonymous = tokenOf(await app.browser().get(url('/sign-in')));
    for (const fields of [
      {},
      { _csrf: '' },
      { _csrf: foreign },
      { _csrf: anonymous },
      { _csrf: `${own}x` },
      { _csrf: own.slice(0, -1) },
      { '_csrf[]': own },
      { _CSRF: own },
    ])
      expect(await change(browser, fields as Record<string, string>)).toBe(403);
    for (const header of ['x-csrf-token', 'csrf-token', 'x-xsrf-token']) expect(await change(browser, {}, { [header]: own })).toBe(403);
    expect(await change(browser, { _csrf: own })).toBe(303);
  });

  test('drawn before sign-in is worth nothing after it #72, nor after signing out; one of the session nothing after that', async () => {
    const browser = app.browser();
    const before = await browser.get(url('/sign-in'));
    const page = await browser.submit(url('/sign-in'), before, { user_id: 'BEN155', password: 'walnut-ladder-155' });
    expect(headingOf(page.body)).toBe('Your Services Portal account');
    expect(await change(browser, { _csrf: tokenOf(before) })).toBe(403);
    const during = tokenOf(await browser.get(url('/organisation')));
    expect((await browser.submit(url('/sign-out'), await browser.get(url('/organisation')), {}, { follow: false })).status).toBe(303);
    await browser.get(url('/sign-in'));
    for (const _csrf of [during, tokenOf(before)])
      expect((await browser.submit(url('/sign-in'), null, { ...right, _csrf }, { follow: false })).status).toBe(403);
  });

  test('for signing in needs the form of the same browser (no sign-in as somebody else)', async () => {
    const attacker = await app.browser().get(url('/sign-in'));
    const victim = app.browser();
    await victim.get(url('/sign-in'));
    expect((await victim.submit(url('/sign-in'), attacker, right, { follow: false })).status).toBe(403);
    expect((await app.browser().submit(url('/sign-in'), attacker, right, { follow: false })).status).toBe(403);
  });

  test('cannot sign anybody out from elsewhere, nor can a link', async () => {
    const { browser } = await visit(app, 'OLLIE199');
    const page = await browser.get(url('/organisation'));
    await browser.submit(url('/sign-out'), page, {}, { headers: { 'sec-fetch-site': 'same-site' }, follow: false });
    await browser.submit(url('/sign-out'), null, {}, { follow: false });
    for (const method of ['GET', 'HEAD']) await browser.get(url('/sign-out'), { method, follow: false });
    expect((await browser.get(url('/organisation'), { follow: false })).status).toBe(200);
  });

  test.each([
    ['application/json', (token: string) => JSON.stringify({ ...right, _csrf: token }), [303, 403, 415]],
    ['text/plain', (token: string) => `_csrf=${token}&user_id=WENDY166&password=heron-basket-166`, [403, 415]],
    [
      'multipart/form-data; boundary=x',
      (token: string) => `--x\r\nContent-Disposition: form-data; name="_csrf"\r\n\r\n${token}\r\n--x--`,
      [415],
    ],
    ['application/x-www-form-urlencoded-evil', (token: string) => asForm({ ...right, _csrf: token }), [415]],
    ['application/json', () => '{"__proto__":{"_csrf":"x"}}', [400]],
    ['application/json', () => '{', [400]],
    ['application/x-www-form-urlencoded', () => `a=${'x'.repeat(70_000)}`, [413]],
  ])('of type %s is answered, never followed blindly #90', async (type, body, statuses) => {
    const browser = app.browser();
    const token = tokenOf(await browser.get(url('/sign-in')));
    const answer = await browser.get(url('/sign-in'), {
      method: 'POST',
      follow: false,
      headers: { 'content-type': type, ...from() },
      body: body(token),
    });
    expect(statuses).toContain(answer.status);
    expect(answer.body).not.toContain('FST_');
  });
});

test('no password, cookie, token or query string stands in the log, however much is logged #105', async () => {
  const { cookie } = await visit(app, 'WENDY166');
  await ask(app.port, {
    target: '/efs/?password=in-a-query',
    host: hostOf(app, 'www3'),
    headers: [
      ['Cookie', cookie],
      ['Authorization', 'Basic c2VjcmV0'],
    ],
  });
  await ask(app.port, { target: '/nothing?password=in-a-query', host: hostOf(app, 'portal'), headers: [['Cookie', cookie]] });
  await ask(app.port, { target: '/%zz?password=in-a-query', host: hostOf(app, 'portal') });
  await ask(app.port, { target: '/?password=in-a-query', host: 'evil.example' });
  const log = app.log();
  expect(log.length).toBeGreaterThan(1_000);
  const csrf = await app.browser().get(url('/sign-in'));
  for (const secret of [
    'in-a-query',
    'heron-basket',
    'marble-ferry',
    'correct horse',
    'c2VjcmV0',
    cookie.slice(-30),
    /value="([\w-]{43})"/.exec(csrf.body)?.[1] ?? '?',
    'token=',
    'return=',
  ])
    expect(log, secret).not.toContain(secret);
});
