import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { append } from '#store/activity.ts';
import { closeOrganisation, renameOrganisation } from '#store/organisations.ts';
import { type Browser, startApp, type TestApp } from '#tests/app.ts';
import { ask, type RawAnswer } from '#tests/raw-http.ts';
import { secured } from '#tests/secured.ts';
import { cookiesOf, headingOf, holdStore, hostOf, idsOf, type SiteName, visit } from '#tests/visits.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

let app: TestApp;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.close());

const places = { www3: '/trailblazer/', intranet: '/ictinschools.htm', portal: '/organisation' } as const;
type Place = keyof typeof places;

async function everywhere(userId = 'WENDY166'): Promise<{ browser: Browser; cookies: Record<Place, string> }> {
  const { browser } = await visit(app, userId, 'www3');
  await browser.get(`http://${hostOf(app, 'intranet')}/ictinschools.htm`);
  const cookies = { www3: cookiesOf(browser, 'www3'), intranet: cookiesOf(browser, 'intranet'), portal: cookiesOf(browser, 'portal') };
  return { browser, cookies };
}

const statusAt = async (place: Place, cookie: string): Promise<number> =>
  (await ask(app.port, { target: places[place], host: hostOf(app, place), headers: [['Cookie', cookie]] })).status;

async function alive(cookies: Record<Place, string>): Promise<Place[]> {
  const statuses = await Promise.all(
    (Object.keys(places) as Place[]).map(async place => [place, await statusAt(place, cookies[place])] as const),
  );
  for (const [, status] of statuses) expect([200, 302]).toContain(status);
  return statuses.flatMap(([place, status]) => (status === 200 ? [place] : []));
}

const signOut = async (browser: Browser) =>
  browser.submit(`${app.portal}/sign-out`, await browser.get(`${app.portal}/organisation`), {}, { follow: false });

describe('a session', () => {
  test('ends on every host with sign-out #75, for copied cookies too #74', async () => {
    const { browser, cookies } = await everywhere();
    const other = await everywhere();
    expect(await alive(cookies)).toEqual(['www3', 'intranet', 'portal']);
    const left = await signOut(browser);
    expect([left.status, left.headers.location]).toEqual([303, '/sign-in?reason=signed-out']);
    expect([left.headers['set-cookie']].flat()).toContain('portal=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax');
    expect(await alive(cookies)).toEqual([]);
    expect(await alive(other.cookies)).toEqual(['www3', 'intranet', 'portal']);
  });

  test('ends when nobody used it for an hour, and not while one host is used', async () => {
    const { cookies } = await everywhere();
    for (let minutes = 0; minutes < 180; minutes += 45) {
      app.clock.now += 45 * MINUTE;
      expect(await statusAt('www3', cookies.www3)).toBe(200);
    }
    expect(await alive(cookies)).toEqual(['www3', 'intranet', 'portal']);
    app.clock.now += HOUR - 1;
    expect(await alive(cookies)).toEqual(['www3', 'intranet', 'portal']);
    app.clock.now += HOUR;
    expect(await alive(cookies)).toEqual([]);
  });

  test('ends after twelve hours, however much it is used', async () => {
    const { cookies } = await everywhere();
    const began = app.clock.now;
    for (let hours = 1; hours < 24; hours++) {
      app.clock.now = Math.min(began + hours * 0.5 * HOUR, began + 12 * HOUR - 1);
      expect(await statusAt('www3', cookies.www3)).toBe(200);
    }
    app.clock.now = began + 12 * HOUR - 1;
    expect(await alive(cookies)).toEqual(['www3', 'intranet', 'portal']);
    app.clock.now += 1;
    expect(await alive(cookies)).toEqual([]);
  });

  test('a clock set back does not end it, nor lend it time', async () => {
    const { cookies } = await everywhere();
    app.clock.now -= 10 * MINUTE;
    expect(await alive(cookies)).toEqual(['www3', 'intranet', 'portal']);
    app.clock.now += 10 * MINUTE + HOUR;
    expect(await alive(cookies)).toEqual([]);
  });

  test('is a new one at every sign-in, and the browser’s older one ends #71', async () => {
    const { browser, cookies } = await everywhere();
    const attacker = await app.signIn('KEN144');
    const planted = cookiesOf(attacker, 'portal');
    const victim = app.browser();
    victim.cookies.set('portal.hants.localhost', new Map([...attacker.cookies.get('portal.hants.localhost')!]));
    const form = await victim.get(`${app.portal}/organisation`);
    await victim.submit(`${app.portal}/sign-in`, form, { user_id: 'WENDY166', password: 'heron-basket-166' });
    expect(cookiesOf(victim, 'portal')).not.toBe(planted);
    expect(await statusAt('portal', cookiesOf(victim, 'portal'))).toBe(200);
    expect(await statusAt('portal', planted)).toBe(302);

    const again = await browser.submit(
      `${app.portal}/sign-in`,
      await browser.get(`${app.portal}/organisation`),
      { user_id: 'WENDY166', password: 'heron-basket-166' },
      { follow: false },
    );
    expect(again.status).toBe(303);
    expect(await alive(cookies)).toEqual([]);
  });

  test('is known without the store while the same person signs in elsewhere', async () => {
    const { cookies } = await everywhere();
    // What earlier changes made doubtful is read once more.
    await app.installation.feed.catchUp();
    expect(await statusAt('www3', cookies.www3)).toBe(200);
    await app.signIn('WENDY166');
    await app.installation.feed.catchUp();
    const store = await holdStore(app.store);
    try {
      expect(await Promise.race([statusAt('www3', cookies.www3), wait(5_000)])).toBe(200);
    } finally {
      await store.release();
    }
  });

  test('changes its organisation on every host at once', async () => {
    const { browser, host } = await visit(app, 'OLLIE199');
    expect((await browser.get(`http://${host}/trailblazer/`)).status).toBe(403);
    const { organisation } = await idsOf(app, 'OLLIE199', '2746');
    const form = await browser.get(`${app.portal}/organisation`);
    expect(
      (await browser.submit(`${app.portal}/organisation`, form, { organisation: String(organisation) }, { follow: false })).status,
    ).toBe(303);
    expect((await browser.get(`http://${host}/trailblazer/`)).status).toBe(200);
    expect((await browser.get(`http://${host}/hcc/eps/`)).status).toBe(403);
  });

  test('cannot work in an organisation the person does not belong to', async () => {
    const browser = await app.signIn('WENDY166');
    const { organisation } = await idsOf(app, 'OLLIE199', '2746');
    const form = await browser.get(`${app.portal}/organisation`);
    for (const chosen of [String(organisation), '999', '0', '-1', '1e3', 'council', ''])
      expect((await browser.submit(`${app.portal}/organisation`, form, { organisation: chosen })).status).toBe(404);
  });
});

describe('a cookie', () => {
  test('holds nothing but a sealed token, and the store holds only its hash', async () => {
    const { browser } = await everywhere();
    const sealed = browser.cookies.get('portal.hants.localhost')!.get('portal')!;
    const tokens = await app.store.db.selectFrom('session_tokens').selectAll().execute();
    expect(JSON.stringify(tokens)).not.toContain(sealed);
    for (const { token_hash } of tokens) {
      expect(decodeURIComponent(sealed)).not.toContain(token_hash);
      expect(await statusAt('portal', `portal=${token_hash}`)).toBe(302);
    }
    expect(Buffer.from(decodeURIComponent(sealed).split(';')[0]!, 'base64').toString('latin1')).not.toContain('WENDY');
    expect(app.log()).not.toContain(sealed.slice(0, 20));
  });

  test('that comes twice is not ours, whichever stands first', async () => {
    const { cookies } = await everywhere();
    const own = /portal=[^;]+/.exec(cookies.www3)![0];
    expect(await statusAt('www3', own)).toBe(200);
    for (const two of [`${own}; portal=x`, `portal=x; ${own}`, `${own}; ${own}`, `portal=;${own}`])
      expect(await statusAt('www3', two), two).toBe(302);
  });

  test.each([
    ['behind U+00A0', (own: string) => `\u00a0${own}`],
    ['in capitals', (own: string) => own.replace('portal', 'PORTAL')],
    ['inside another', (own: string) => `x="a; ${own.replace('portal', 'x')}"`],
    ['cut short', (own: string) => own.slice(0, -9)],
    ['changed in one place', (own: string) => own.replace(/=(.{20})(.)/, (_all, kept, one) => `=${kept}${one === 'A' ? 'B' : 'A'}`)],
    ['empty', () => 'portal='],
    ['with a malformed escape #76', () => 'portal=%zz%'],
    ['with a zero byte', () => 'portal=%00'],
    ['very long', () => `portal=${'A'.repeat(12_000)}`],
    ['of another purpose', (_own: string, all: string) => `portal=${/portal-handoff=([^;]+)/.exec(all)?.[1]}`],
    ['with a prototype’s name', () => 'portal=__proto__; __proto__=portal'],
  ])('%s opens nothing and breaks nothing', async (_how, make) => {
    const { cookies } = await everywhere();
    const own = /portal=[^;]+/.exec(cookies.www3)![0];
    expect(await statusAt('www3', make(own, cookies.www3))).toBe(302);
    expect(await statusAt('www3', own)).toBe(200);
  });
});

describe('over https, behind a trusted proxy', () => {
  let secure: TestApp;
  beforeAll(async () => {
    secure = await startApp({
      env: { TRUSTED_PROXIES: '127.0.0.1' },
      change: deps => ({ ...deps, catalogue: secured(deps.catalogue, deps.settings.port) }),
    });
  });
  afterAll(() => secure.close());

  const jar = new Map<string, string>();
  async function get(
    name: SiteName | 'portal',
    target: string,
    options: { method?: string; body?: string; headers?: [string, string][] } = {},
  ): Promise<RawAnswer> {
    const host = `${name}.hants.localhost`;
    const { method = 'GET', body = '', headers = [] } = options;
    const cookie = [...jar]
      .filter(([key]) => key.startsWith(`${host} `))
      .map(([key, value]) => `${key.split(' ')[1]}=${value}`)
      .join('; ');
    const given: [string, string][] = [['X-Forwarded-Proto', 'https'], ['X-Forwarded-For', '192.0.2.7'], ['Cookie', cookie], ...headers];
    if (body) given.push(['Content-Type', 'application/x-www-form-urlencoded'], ['Content-Length', String(body.length)]);
    const answer = await ask(secure.port, { method, target, host, headers: given, body });
    for (const [key, value] of answer.headers) {
      const pair = /^([^=]+)=([^;]*)/.exec(value);
      if (key === 'set-cookie' && pair) jar.set(`${host} ${pair[1]}`, pair[2]!);
    }
    return answer;
  }
  const cookiesSet = (answer: RawAnswer) => answer.headers.filter(([name]) => name === 'set-cookie').map(([, value]) => value);

  test('every cookie is __Host-, Secure, HttpOnly and Lax, from the form to the legacy page', async () => {
    const form = await get('portal', '/sign-in');
    const csrf = /name="_csrf" value="([^"]+)"/.exec(form.body)?.[1];
    const body = new URLSearchParams({ _csrf: csrf!, user_id: 'WENDY166', password: 'heron-basket-166' }).toString();
    const signedIn = await get('portal', '/sign-in', { method: 'POST', body });
    expect(signedIn.status).toBe(303);
    const toPortal = await get('www3', '/trailblazer/headers.json');
    expect(toPortal.header('location')).toMatch(/^https:\/\/portal\.hants\.localhost\/sign-in\/site\?/);
    const withCode = await get('portal', new URL(toPortal.header('location')!).href.replace('https://portal.hants.localhost', ''));
    expect(withCode.header('location')).toMatch(/^https:\/\/www3\.hants\.localhost\/\.portal\/session\?code=/);
    const back = await get('www3', withCode.header('location')!.replace('https://www3.hants.localhost', ''));
    expect(back.header('location')).toBe('https://www3.hants.localhost/trailblazer/headers.json');
    const set = [form, signedIn, toPortal, back].flatMap(cookiesSet);
    expect(set.map(cookie => cookie.split('=')[0])).toEqual([
      '__Host-portal-form',
      '__Host-portal',
      '__Host-portal-form',
      '__Host-portal-handoff',
      '__Host-portal',
    ]);
    for (const cookie of set) expect(cookie).toMatch(/^[^=]+=([^;]{1,700}|; Max-Age=0); Path=\/; HttpOnly; SameSite=Lax; Secure$/);
    expect(set.filter(cookie => cookie.includes('Max-Age'))).toEqual([expect.stringMatching(/^__Host-portal-form=; Max-Age=0; /)]);

    const page = await get('www3', '/trailblazer/headers.json', { headers: [['Cookie', 'Own=1']] });
    expect(JSON.parse(page.body)).toMatchObject({
      'remote-user': 'WENDY166',
      'x-forwarded-proto': 'https',
      'x-forwarded-for': '192.0.2.7',
      cookie: 'Own=1',
    });
  });

  test('strict transport is asked for on the portal only: a site must be able to go back', async () => {
    expect((await get('portal', '/sign-in')).header('strict-transport-security')).toMatch(/^max-age=31536000/);
    expect((await get('www3', '/trailblazer/')).header('strict-transport-security')).toBeUndefined();
  });

  test.each([
    ['www3', '/trailblazer/?a=1'],
    ['portal', '/sign-in'],
    ['www', '/'],
  ] as const)('plain http on %s goes to https, for now and without a cookie', async (name, target) => {
    const answer = await ask(secure.port, { target, host: `${name}.hants.localhost`, headers: [['X-Forwarded-Proto', 'http']] });
    expect([answer.status, answer.header('location')]).toEqual([302, `https://${name}.hants.localhost${target}`]);
    expect(answer.header('set-cookie')).toBeUndefined();
  });

  test('a form sent over plain http is refused, not sent on', async () => {
    for (const name of ['www3', 'portal']) {
      const answer = await ask(secure.port, {
        method: 'POST',
        target: '/sign-in',
        host: `${name}.hants.localhost`,
        headers: [['Content-Length', '0']],
      });
      expect([answer.status, headingOf(answer.body)]).toEqual([403, 'A secure connection is needed']);
    }
  });

  test('the plain names of the demo are nobody’s cookies here', async () => {
    const cookie = [...jar].find(([key]) => key === 'www3.hants.localhost __Host-portal')![1];
    const target = '/trailblazer/headers.json';
    const headers = (name: string): [string, string][] => [
      ['X-Forwarded-Proto', 'https'],
      ['Cookie', `${name}=${cookie}`],
    ];
    expect((await ask(secure.port, { target, host: 'www3.hants.localhost', headers: headers('__Host-portal') })).status).toBe(200);
    for (const name of ['portal', '__host-portal', '\u00a0__Host-portal', '__Secure-portal'])
      expect((await ask(secure.port, { target, host: 'www3.hants.localhost', headers: headers(name) })).status, name).toBe(302);
  });
});

describe('over https, without a trusted proxy', () => {
  test('nobody’s word is taken for the scheme #45, the host #40 or the address', async () => {
    const bare = await startApp({ change: deps => ({ ...deps, catalogue: secured(deps.catalogue, deps.settings.port) }) });
    const claims: [string, string][] = [
      ['X-Forwarded-Proto', 'https'],
      ['X-Forwarded-Ssl', 'on'],
      ['Forwarded', 'proto=https;host=evil.example'],
      ['X-Forwarded-Host', 'evil.example'],
    ];
    const answer = await ask(bare.port, { target: '/sign-in', host: 'portal.hants.localhost', headers: claims });
    expect([answer.status, answer.header('location')]).toEqual([302, 'https://portal.hants.localhost/sign-in']);
    expect(bare.log()).toMatch(/"from":"127\.0\.0\.1","msg":"X-Forwarded-Proto is not believed: /);
    await bare.close();
  });
});

test('an organisation that has a new name carries it in the next request of all who are signed in; one that is closed is gone', async () => {
  const { browser } = await visit(app, 'WENDY166');
  const { organisation } = await idsOf(app, 'WENDY166', 'SP3');
  const says = async () => {
    const headers = JSON.parse((await browser.get(`http://${hostOf(app, 'www3')}/trailblazer/headers.json`)).body);
    const token = JSON.parse(Buffer.from(headers['portal-identity'].split('.')[1], 'base64url').toString());
    const { body } = await browser.get(`${app.portal}/organisation`);
    return [headers['portal-organisation'], token.organisation, body.includes('Another Name')];
  };
  const before = await says();
  expect(before).toEqual([before[0], before[0], false]);
  const about = { at: app.clock.now, organisation };
  await app.store.change(async tx => {
    await renameOrganisation(tx, organisation, 'Another Name');
    await append(tx, { ...about, kind: 'organisation-changed' });
  });
  expect(await says()).toEqual(['Another Name', 'Another Name', true]);
  await app.store.change(async tx => {
    await closeOrganisation(tx, organisation, app.clock.now);
    await append(tx, { ...about, kind: 'organisation-closed' });
  });
  expect((await browser.get(`${app.portal}/organisation`)).body).not.toContain('Another Name');
});
