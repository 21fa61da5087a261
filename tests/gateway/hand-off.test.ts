import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Answer, type Browser, startApp, type TestApp } from '#tests/app.ts';
import { startWire, type Wire } from '#tests/legacy-wire.ts';
import { ask } from '#tests/raw-http.ts';
import { cookiesOf, headingOf, hostOf, type SiteName, visit } from '#tests/visits.ts';

let app: TestApp;
let wire: Wire;
beforeAll(async () => {
  wire = await startWire();
  app = await startApp({ change: deps => wire.into(deps) });
});
afterAll(async () => {
  await app.close();
  await wire.close();
});
beforeEach(() => wire.forget());

const at = (path: string, name: SiteName = 'www3') => `http://${hostOf(app, name)}${path}`;
const step = (browser: Browser, address: string) => browser.get(address, { follow: false });
const leadsTo = (answer: Answer) => new URL(String(answer.headers.location), answer.url).href;

/** As far as the address with the code, which the browser has not opened yet. */
async function codeFor(browser: Browser, address = at('/trailblazer/')): Promise<string> {
  const atSite = await step(browser, address);
  expect(atSite.status).toBe(302);
  const atPortal = await step(browser, leadsTo(atSite));
  expect(atPortal.status).toBe(303);
  expect(leadsTo(atPortal)).toMatch(/^http:\/\/www[^/]*\/\.portal\/session\?code=[A-Za-z0-9_-]{43}$/);
  return leadsTo(atPortal);
}

const signsIn = (answer: Answer) => [answer.headers['set-cookie'] ?? []].flat().some(cookie => /^portal=[^;]/.test(cookie));

const isSignedIn = async (cookie: string, name: SiteName = 'www3', target = '/trailblazer/') =>
  (await ask(app.port, { target, host: hostOf(app, name), headers: [['Cookie', cookie]] })).status === 200;

describe('a code from the portal', () => {
  test('makes a session on the site’s own host, leads to the very address, and is all that an address holds #70', async () => {
    const browser = await app.signIn('WENDY166');
    const done = await step(browser, await codeFor(browser, at('/trailblazer/news.htm?a=%2F&b=1')));
    expect([done.status, leadsTo(done), done.headers['cache-control']]).toEqual([303, at('/trailblazer/news.htm?a=%2F&b=1'), 'no-store']);
    expect(String(done.headers['set-cookie'])).toMatch(/^portal=[^;]+; Path=\/; HttpOnly; SameSite=Lax$/);
    expect((await step(browser, leadsTo(done))).status).toBe(200);
    expect(wire.received()).not.toMatch(/\.portal|code=/);
  });

  test('works once, and brings whoever reloads it to the page', async () => {
    const browser = await app.signIn('WENDY166');
    const code = await codeFor(browser);
    expect(signsIn(await step(browser, code))).toBe(true);
    const again = await step(browser, code);
    expect(signsIn(again)).toBe(false);
    expect([again.status, leadsTo(again)]).toEqual([303, at('/trailblazer/')]);
  });

  test('works once, however often it is sent at the same time', async () => {
    const browser = await app.signIn('WENDY166');
    const code = await codeFor(browser);
    const answers = await Promise.all(Array.from({ length: 12 }, () => step(browser, code)));
    expect(answers.filter(signsIn)).toHaveLength(1);
  });

  test('works only in the browser that asked for it', async () => {
    const browser = await app.signIn('WENDY166');
    const code = await codeFor(browser);
    const stranger = app.browser();
    const bare = await step(stranger, code);
    expect([bare.status, headingOf(bare.body)]).toEqual([403, 'We could not sign you in to this website']);
    await step(stranger, at('/efs/'));
    expect(cookiesOf(stranger, 'www3')).toContain('portal-handoff=');
    expect(signsIn(await step(stranger, code))).toBe(false);
    expect((await step(stranger, at('/trailblazer/'))).status).toBe(302);
    expect(signsIn(await step(browser, code))).toBe(true);
  });

  test('works only on the host it was made for, even with its nonce', async () => {
    const browser = await app.signIn('WENDY166');
    const code = new URL(await codeFor(browser));
    const headers: [string, string][] = [['Cookie', cookiesOf(browser, 'www3')]];
    for (const name of ['www', 'intranet', 'portal'] as const) {
      const answer = await ask(app.port, { target: code.pathname + code.search, host: hostOf(app, name), headers });
      expect(answer.status).toBe(name === 'portal' ? 404 : 403);
      expect(answer.header('set-cookie') ?? '').not.toMatch(/^portal=[^;]/);
    }
    expect(signsIn(await step(browser, code.href))).toBe(true);
  });

  test('works for half a minute', async () => {
    const browser = await app.signIn('WENDY166');
    const [early, late] = [await codeFor(browser), await codeFor(browser)];
    app.clock.now += 29_999;
    expect(signsIn(await step(browser, early))).toBe(true);
    app.clock.now += 1;
    expect(signsIn(await step(browser, late))).toBe(false);
  });

  test('dies with the session', async () => {
    const browser = await app.signIn('WENDY166');
    const code = await codeFor(browser);
    await browser.submit(`${app.portal}/sign-out`, await browser.get(`${app.portal}/organisation`), {}, { follow: false });
    expect((await step(browser, `${app.portal}/`)).status).toBe(302);
    expect(signsIn(await step(browser, code))).toBe(false);
  });

  test.each(['', '?code=', '?code=x', `?code=${'A'.repeat(43)}`, `?code=${'A'.repeat(43)}&code=${'A'.repeat(43)}`, '?code[]=x'])(
    '“%s” is none',
    async query => {
      const browser = app.browser();
      await step(browser, at('/efs/'));
      expect((await step(browser, at(`/.portal/session${query}`))).status).toBe(403);
    },
  );
});

describe('several pages at once', () => {
  test('tabs opened before signing in all arrive', async () => {
    const browser = app.browser();
    const pages = [at('/trailblazer/'), at('/trailblazer/news.htm'), at('/ictinschools.htm', 'intranet')];
    const forms: Answer[] = [];
    for (const page of pages) forms.push(await browser.get(page));
    for (const form of forms) expect(headingOf(form.body)).toBe('Sign in to your Services Portal account');
    const first = await browser.submit(`${app.portal}/sign-in`, forms[0]!, { user_id: 'WENDY166', password: 'heron-basket-166' });
    const others = await Promise.all(forms.slice(1).map(form => browser.get(form.url)));
    expect([first, ...others].map(({ status, url }) => [status, url])).toEqual(pages.map(page => [200, page]));
  });

  test('tabs opened at the same moment, signed in already, all arrive though each got its own nonce', async () => {
    const browser = await app.signIn('WENDY166');
    const pages = [at('/trailblazer/'), at('/trailblazer/news.htm'), at('/trailblazer/contact.htm'), at('/css/hantsweb.css')];
    const asked = await Promise.all(pages.map(page => step(browser, page)));
    expect(new Set(asked.map(({ headers }) => headers.location)).size).toBe(4);
    const arrived = await Promise.all(asked.map(answer => browser.get(leadsTo(answer))));
    expect(arrived.map(({ status, url }) => [status, url])).toEqual(pages.map(page => [200, page]));
  });

  test('tabs waiting at sign-in since the last session ended share its form', async () => {
    const browser = await app.signIn('WENDY166');
    await browser.submit(`${app.portal}/sign-out`, await browser.get(`${app.portal}/organisation`), {});
    const forms = await Promise.all([1, 2, 3].map(() => browser.get(`${app.portal}/sign-in`)));
    const answer = await browser.submit(`${app.portal}/sign-in`, forms[0]!, { user_id: 'WENDY166', password: 'heron-basket-166' });
    expect(headingOf(answer.body)).toBe('Your Services Portal account');
  });
});

describe('a token', () => {
  test('is worth something on its own host only', async () => {
    const { browser, cookie } = await visit(app, 'WENDY166');
    await browser.get(at('/ictinschools.htm', 'intranet'));
    const intranet = cookiesOf(browser, 'intranet');
    const portal = cookiesOf(browser, 'portal');
    expect(await isSignedIn(cookie)).toBe(true);
    expect(await isSignedIn(intranet, 'intranet', '/ictinschools.htm')).toBe(true);
    for (const foreign of [intranet, portal]) expect(await isSignedIn(foreign)).toBe(false);
    for (const foreign of [cookie, portal]) expect(await isSignedIn(foreign, 'intranet', '/ictinschools.htm')).toBe(false);
    const account = await ask(app.port, { target: '/', host: hostOf(app, 'portal'), headers: [['Cookie', cookie]] });
    expect([account.status, account.header('location')]).toEqual([302, '/sign-in']);
  });
});

describe('the portal hands nobody over', () => {
  const nonce = 'A'.repeat(43);
  test.each([
    ['', ''],
    ['to a foreign host', `to=https://evil.example/&nonce=${nonce}`],
    ['to a host that looks like a site’s', `to=http://www3.hants.localhost.evil.example/&nonce=${nonce}`],
    ['to a site on another port', `to=http://www3.hants.localhost:1/&nonce=${nonce}`],
    ['to itself', `to=/&nonce=${nonce}`],
    ['to two places', `to=http://www3.hants.localhost/&to=https://evil.example/&nonce=${nonce}`],
    ['without a nonce', 'to=http://www3.hants.localhost/efs/'],
    ['with something else for a nonce', 'to=http://www3.hants.localhost/efs/&nonce=x'],
  ])('%s', async (_why, query) => {
    const browser = await app.signIn('WENDY166');
    const answer = await step(browser, `${app.portal}/sign-in/site?${query.replace('http://www3.hants.localhost/', at('/'))}`);
    expect(answer.status).toBe(400);
    expect(answer.headers.location).toBeUndefined();
  });

  test('a form sent without a session is not sent again after it', async () => {
    const browser = app.browser();
    const sent = await browser.submit(at('/trailblazer/contact.htm'), null, { message: 'not-to-be-sent' }, { follow: false });
    expect(sent.status).toBe(303);
    const told = await browser.get(leadsTo(sent));
    expect(headingOf(told.body)).toBe('Your form was not sent');
    const form = await browser.get(leadsTo(sent).replace('&form=lost', ''));
    await browser.submit(`${app.portal}/sign-in`, form, { user_id: 'WENDY166', password: 'heron-basket-166' });
    expect(wire.received()).toMatch(/^GET \/trailblazer\/contact\.htm /);
    expect(wire.received()).not.toContain('not-to-be-sent');
  });

  test('no code, nonce or token stands in the log', async () => {
    const browser = await app.signIn('WENDY166');
    const code = new URL(await codeFor(browser)).searchParams.get('code')!;
    await step(browser, at(`/.portal/session?code=${code}`));
    await step(browser, at(`/.portal/session?code=${code}`));
    for (const secret of [code, cookiesOf(browser, 'www3').split('=')[1]!, 'nonce=']) expect(app.log()).not.toContain(secret);
  });
});

describe('what a page of one site shows of another', () => {
  const picture = '/images/hills.png';
  const asA = (dest: string, said: Record<string, string> = {}) => ({
    headers: { accept: '*/*', 'sec-fetch-dest': dest, 'sec-fetch-mode': 'no-cors', 'sec-fetch-site': 'same-site', ...said },
  });

  test.each(['image', 'style', 'script', 'audio', 'video'])('as %s goes through the hand-off by redirect', async dest => {
    const { browser } = await visit(app, 'WENDY166');
    const answer = await browser.get(at(picture, 'intranet'), asA(dest));
    expect([answer.status, answer.url, answer.headers['content-type']]).toEqual([200, at(picture, 'intranet'), 'image/png']);
    expect(cookiesOf(browser, 'intranet')).toMatch(/(?:^|; )portal=/);
  });

  test('may be led on by the portal, in the words browsers go by', async () => {
    const browser = await app.signIn('WENDY166');
    const atSite = await browser.get(at(picture, 'intranet'), { ...asA('image'), follow: false });
    const atPortal = await browser.get(leadsTo(atSite), { ...asA('image'), follow: false });
    expect([atPortal.status, atPortal.headers['cross-origin-resource-policy']]).toEqual([303, 'same-site']);
    expect(atPortal.headers['cache-control'] ?? atSite.headers['cache-control']).toBe('no-store');
  });

  test('all arrives when it is asked for at once and every part got a nonce of its own', async () => {
    const { browser } = await visit(app, 'WENDY166');
    const parts = Array.from({ length: 8 }, (_, index) => at(`${picture}?${index}`, 'intranet'));
    const asked = await Promise.all(parts.map(part => browser.get(part, { ...asA('image'), follow: false })));
    expect(new Set(asked.map(({ headers }) => headers.location)).size).toBe(8);
    const arrived = await Promise.all(asked.map(answer => browser.get(leadsTo(answer), asA('image'))));
    expect(arrived.map(({ status, url }) => [status, url])).toEqual(parts.map(part => [200, part]));
  });

  test('is refused as JSON to whoever the portal does not know: the page of sign-in is no picture', async () => {
    const answer = await app.browser().get(at(picture, 'intranet'), asA('image'));
    expect([answer.status, new URL(answer.url).host, JSON.parse(answer.body).error]).toEqual([
      401,
      hostOf(app, 'portal'),
      'sign-in-needed',
    ]);
  });

  test('is refused as JSON to whoever may not see it', async () => {
    const { browser } = await visit(app, 'JHOWEL12');
    const answer = await browser.get(at(picture, 'intranet'), asA('image'));
    expect([answer.status, answer.url, JSON.parse(answer.body).error]).toEqual([403, at(picture, 'intranet'), 'access-refused']);
  });

  test.each<[string, string, Record<string, string>]>([
    ['a foreign website', 'image', { 'sec-fetch-site': 'cross-site' }],
    ['nobody says where', 'image', { 'sec-fetch-site': 'none' }],
    ['fetch', 'empty', {}],
    ['fetch with its own mode', 'empty', { 'sec-fetch-mode': 'cors' }],
    ['a font', 'font', { 'sec-fetch-mode': 'cors' }],
  ])('for %s as %s is 401 at the site itself', async (_who, dest, said) => {
    const { browser } = await visit(app, 'WENDY166');
    const answer = await browser.get(at(picture, 'intranet'), { ...asA(dest, said), follow: false });
    expect([answer.status, JSON.parse(answer.body).error]).toEqual([401, 'sign-in-needed']);
    expect(answer.headers['set-cookie']).toBeUndefined();
  });

  test('and posts as an image would be asked for is 401', async () => {
    const answer = await app.browser().get(at('/trailblazer/', 'www3'), { ...asA('image'), method: 'POST', body: 'a=b', follow: false });
    expect(answer.status).toBe(401);
  });
});
