import { createServer, type Server } from 'node:http';
import { request } from 'undici';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { demoPeople } from '#config/demo/people.ts';
import { grant, revokeGrant } from '#store/rules.ts';
import { endSessions } from '#store/sessions.ts';
import { type Answer, type Browser, startApp, type TestApp } from '#tests/app.ts';
import { freePort } from '#tests/free-port.ts';
import { requestsOn, startWire, type Wire, withUpstreams } from '#tests/legacy-wire.ts';
import { ask, requestBytes, sendRaw } from '#tests/raw-http.ts';
import { changeRights, cookiesOf, headingOf, hostOf, idsOf, plain, visit } from '#tests/visits.ts';

const MINUTE = 60_000;
const KIB = 1024;
const FORM = '/trailblazer/contact.htm?to=%2Foffice';

let app: TestApp;
let wire: Wire;
const start = async (env: Record<string, string> = {}) => {
  wire = await startWire();
  app = await startApp({ env, change: deps => wire.into(deps) });
};
const stop = async () => {
  await app.close();
  await wire.close();
};

const origin = () => `http://${hostOf(app, 'www3')}`;
const leadsTo = (answer: Answer) => new URL(String(answer.headers.location), answer.url).href;
const keptForms = () => app.store.db.selectFrom('kept_forms').selectAll().orderBy('id').execute();

/** Wendy was at work on www3, and has been away for too long. */
async function timedOut(userId = 'WENDY166'): Promise<Browser> {
  const { browser } = await visit(app, userId);
  app.clock.now += 61 * MINUTE;
  wire.forget();
  return browser;
}

type Sending = { path?: string; type?: string; body?: string | Buffer; headers?: Record<string, string> };

/** Sends a form of a page of www3, as a browser would that was shown the page before. */
function send(
  browser: Browser,
  { path = FORM, type = 'application/x-www-form-urlencoded', body = 'message=secret-words', headers }: Sending = {},
) {
  const given = headers ?? { origin: origin(), 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'navigate' };
  const own = { 'content-type': type, referer: `${origin()}/trailblazer/contact.htm` };
  return browser.get(origin() + path, { method: 'POST', follow: false, headers: { ...own, ...given }, body });
}

/** Follows what sending led to as far as the form of sign-in, fills it in, and goes on. */
async function signInAfter(browser: Browser, sent: Answer, userId = 'WENDY166'): Promise<Answer> {
  const form = await browser.get(leadsTo(sent));
  expect(headingOf(form.body)).toBe('Sign in to your Services Portal account');
  const password = demoPeople.find(one => one.userId === userId)?.password ?? '';
  return browser.submit(`${app.portal}/sign-in`, form, { user_id: userId, password });
}

const actionOf = (page: Answer) =>
  plain(/<form action="([^"]+)" method="post" novalidate>\s*<input type="hidden" name="_csrf"/.exec(mainOf(page))?.[1] ?? '');
const mainOf = ({ body }: Answer) => body.slice(body.indexOf('<main'));

const press = (browser: Browser, page: Answer, fields: Record<string, string> = {}, headers: Record<string, string> = {}) =>
  browser.submit(actionOf(page), page, fields, { follow: false, headers: { origin: origin(), referer: page.url, ...headers } });

/** As far as the page with the button. */
async function askedToSend(browser: Browser, sending: Sending = {}): Promise<Answer> {
  const page = await signInAfter(browser, await send(browser, sending));
  expect([page.status, headingOf(page.body)]).toEqual([200, 'Send your form?']);
  return page;
}

/** The one POST that reached the legacy server, with everything after its headers. */
function posted() {
  const received = wire.received();
  const posts = requestsOn(received).filter(({ line }) => line.startsWith('POST '));
  const from = received.indexOf('\r\n\r\n', received.indexOf('POST ')) + 4;
  return { posts, headers: Object.fromEntries(posts[0]?.headers ?? []), body: received.slice(from) };
}

const isLost = async (browser: Browser, sent: Answer) => {
  expect(sent.status).toBe(303);
  const page = await browser.get(leadsTo(sent));
  expect([page.status, headingOf(page.body)]).toEqual([200, 'Your form was not sent']);
  expect(await keptForms()).toEqual([]);
  return page;
};

const everyByte = Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 7) % 256));
const multipart = Buffer.concat([
  Buffer.from('--XyZ\r\nContent-Disposition: form-data; name="f"; filename="b\xfcdget.xls"\r\n\r\n', 'latin1'),
  everyByte,
  Buffer.from('\r\n--XyZ--\r\n'),
]);

describe.each(['dispatch', 'http-proxy'])('with the engine %s, a form sent after the session’s end', ENGINE => {
  beforeAll(() => start({ ENGINE }), 60_000);
  afterAll(stop);

  test.each([
    ['application/x-www-form-urlencoded', Buffer.from('message=caf%E9+%26&a=1&a=2')],
    ['multipart/form-data; boundary=XyZ', multipart],
    ['text/plain', Buffer.from('message=two words\r\n')],
    ['application/x-www-form-urlencoded', Buffer.alloc(0)],
    ['application/x-www-form-urlencoded;charset=windows-1252', Buffer.alloc(64 * KIB, 'x')],
  ])('as %s is sent byte for byte once its person has signed in and pressed the button', async (type, body) => {
    const browser = await timedOut();
    const page = await askedToSend(browser, { type, body });
    expect(posted().posts).toEqual([]);
    const answer = await press(browser, page);
    expect([answer.status, answer.url]).toEqual([200, origin() + FORM]);
    const { posts, headers, body: arrived } = posted();
    expect(posts.map(({ line }) => line)).toEqual([`POST ${FORM} HTTP/1.1`]);
    expect(headers).toMatchObject({ 'content-type': type, 'content-length': String(body.length), 'remote-user': 'WENDY166' });
    expect(headers).toMatchObject({ referer: `${origin()}/trailblazer/contact.htm`, origin: origin() });
    expect(Buffer.from(arrived, 'latin1').equals(body)).toBe(true);
    expect(await keptForms()).toEqual([]);
  });
});

describe('a form sent after the session’s end', () => {
  beforeAll(() => start(), 60_000);
  afterAll(stop);
  beforeEach(() => wire.forget());
  afterEach(() => app.store.db.deleteFrom('kept_forms').execute());

  test('waits on while its service cannot take it', async () => {
    const browser = await timedOut();
    const page = await askedToSend(browser);
    const upstream = app.app.present().parts.upstreams.of(wire.origin);
    for (let times = 0; times < 5; times += 1) upstream.failed();
    const refused = await press(browser, page);
    expect([refused.status, headingOf(refused.body)]).toEqual([502, 'This service is not working at the moment']);
    expect(await keptForms()).toHaveLength(1);
    upstream.answered();
    expect((await press(browser, page)).status).toBe(200);
    expect(posted().body).toBe('message=secret-words');
  });

  test('is kept sealed, and its person is told so at sign-in', async () => {
    const browser = await timedOut();
    const sent = await send(browser);
    expect(sent.status).toBe(303);
    const [row] = await keptForms();
    expect(row).toMatchObject({ host: 'www3.hants.localhost', created_at: app.clock.now, expires_at: app.clock.now + 60 * MINUTE });
    expect(JSON.stringify(row)).not.toMatch(/secret-words|trailblazer/);
    expect(mainOf(await browser.get(leadsTo(sent)))).toContain('We have kept it: sign in again, and you can send it.');
  });

  test('is shown by its service, never by what is in it, in nobody’s frame and in no cache', async () => {
    const page = await askedToSend(await timedOut());
    expect(plain(mainOf(page))).toContain('Trailblazer for Outdoor Learning & Environmental Education');
    expect(page.body).not.toContain('secret-words');
    expect(page.body).toContain(`<a class="govuk-link" href="${origin()}/trailblazer/">Do not send it</a>`);
    expect(page.headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(page.headers['cache-control']).toBe('no-store');
  });

  test('needs no second sign-in when the portal knows them by then', async () => {
    const browser = await timedOut();
    await browser.submit(`${app.portal}/sign-in`, await browser.get(`${app.portal}/sign-in`), {
      user_id: 'WENDY166',
      password: 'heron-basket-166',
    });
    const page = await browser.get(leadsTo(await send(browser)));
    expect([page.url.split('?')[0], headingOf(page.body)]).toEqual([`${origin()}/.portal/form`, 'Send your form?']);
    expect((await press(browser, page)).status).toBe(200);
    expect(posted().body).toBe('message=secret-words');
  });

  test('is sent once, however often and at the same time the button is pressed', async () => {
    const browser = await timedOut();
    const page = await askedToSend(browser);
    const answers = await Promise.all(Array.from({ length: 6 }, () => press(browser, page)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 410, 410, 410, 410, 410]);
    const again = await press(browser, page);
    expect([again.status, headingOf(again.body)]).toEqual([410, 'This form is not here any more']);
    expect(posted().posts).toHaveLength(1);
    expect((await browser.get(page.url)).status).toBe(410);
  });

  test('leaves its words in no log, and its going in the events', async () => {
    const browser = await timedOut();
    await press(browser, await askedToSend(browser));
    expect(posted().body).toBe('message=secret-words');
    expect(app.log()).not.toContain('secret-words');
    const { person, organisation } = await idsOf(app, 'WENDY166', 'SP3');
    const events = await app.store.db
      .selectFrom('events')
      .selectAll()
      .where('kind', 'like', '%form%')
      .orderBy('id', 'desc')
      .limit(2)
      .execute();
    expect(events.map(({ kind, person_id }) => [kind, person_id])).toEqual([
      ['kept-form-sent', person],
      ['form-kept', person],
    ]);
    expect(events[0]).toMatchObject({ organisation_id: organisation, service: 'trailblazer', data: '{}' });
  });

  test('is kept after the last hour of a long day, and the next morning', async () => {
    const { browser } = await visit(app, 'WENDY166');
    app.clock.now += 20 * 60 * MINUTE;
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 20 * 60 * MINUTE });
    try {
      await send(browser);
    } finally {
      vi.useRealTimers();
    }
    expect(await keptForms()).toHaveLength(1);
  });

  test.each<[string, () => Record<string, string>]>([
    ['a foreign website', () => ({ origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' })],
    ['a foreign website, in a browser that says only who asks', () => ({ origin: 'https://evil.example' })],
    ['another of our sites', () => ({ origin: `http://${hostOf(app, 'intranet')}`, 'sec-fetch-site': 'same-site' })],
    ['a page that hides where it is', () => ({ origin: 'null', 'sec-fetch-site': 'same-origin' })],
    ['a program that says nothing', () => ({})],
    ['a program that packs it', () => ({ origin: origin(), 'content-encoding': 'gzip' })],
  ])('by %s is not kept, and the person is told and goes on', async (_who, headers) => {
    const browser = await timedOut();
    const page = await isLost(browser, await send(browser, { headers: headers() }));
    const next = plain(/href="([^"]+)" role="button"[^>]*>Continue</.exec(page.body)?.[1] ?? '');
    const form = await browser.get(new URL(next, page.url).href);
    const back = await browser.submit(`${app.portal}/sign-in`, form, { user_id: 'WENDY166', password: 'heron-basket-166' });
    expect([back.status, back.url]).toEqual([200, origin() + FORM]);
    expect(requestsOn(wire.received()).map(({ line }) => line)).toEqual([`GET ${FORM} HTTP/1.1`]);
  });

  test.each([{ origin: true }, { 'sec-fetch-site': 'same-origin' }])('is kept if the browser says no more than %o', async said => {
    await send(await timedOut(), { headers: 'origin' in said ? { origin: origin() } : (said as Record<string, string>) });
    expect(await keptForms()).toHaveLength(1);
  });

  test.each(['application/json', 'application/octet-stream', '', 'text/plainly', 'x/multipart/form-data'])(
    'as “%s” is not kept',
    async type => {
      const browser = await timedOut();
      await isLost(browser, await send(browser, { type }));
    },
  );

  test('is not kept when it is a byte too large, whether or not it says so', async () => {
    const browser = await timedOut();
    const body = Buffer.alloc(64 * KIB + 1, 'x');
    await isLost(browser, await send(browser, { body }));
    const headers: [string, string][] = [
      ['Cookie', cookiesOf(browser, 'www3')],
      ['Origin', origin()],
      ['Content-Type', 'text/plain'],
      ['Transfer-Encoding', 'chunked'],
    ];
    const chunked = (bytes: Buffer) =>
      Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n0\r\n\r\n')]);
    const shout = (bytes: Buffer) =>
      ask(app.port, { method: 'POST', target: FORM, host: hostOf(app, 'www3'), headers, body: chunked(bytes) });
    expect((await shout(body)).header('location')).toContain('&form=lost');
    expect(await keptForms()).toEqual([]);
    expect((await shout(body.subarray(1))).header('location')).toContain('&form=kept');
    expect(await keptForms()).toHaveLength(1);
  });

  test('is asked for if its sender waits to be asked', async () => {
    const browser = await timedOut();
    const headers: [string, string][] = [
      ['Cookie', cookiesOf(browser, 'www3')],
      ['Origin', origin()],
      ['Content-Type', 'text/plain'],
      ['Content-Length', '3'],
      ['Expect', '100-continue'],
    ];
    const bytes = requestBytes({ method: 'POST', target: FORM, host: hostOf(app, 'www3'), headers });
    expect((await sendRaw(app.port, bytes, text => text.includes('100 Continue\r\n\r\n'))).text).toContain('100 Continue');
  });

  test('that breaks off is not kept', async () => {
    const browser = await timedOut();
    const headers: [string, string][] = [
      ['Cookie', cookiesOf(browser, 'www3')],
      ['Origin', origin()],
      ['Content-Type', 'text/plain'],
      ['Content-Length', '30'],
      ['Expect', '100-continue'],
    ];
    const bytes = requestBytes({ method: 'POST', target: FORM, host: hostOf(app, 'www3'), headers, body: 'half' });
    await sendRaw(app.port, bytes, text => text.includes('100 Continue\r\n\r\n'));
    // Whatever was begun for it is done by the time another one has been kept.
    await send(browser);
    expect(await keptForms()).toHaveLength(1);
  });

  test.each<[string, (browser: Browser) => void]>([
    ['without any cookie', browser => browser.cookies.get('www3.hants.localhost')?.clear()],
    ['with an invented cookie', browser => browser.cookies.get('www3.hants.localhost')?.set('portal', 'invented')],
    [
      'with the portal’s cookie',
      browser =>
        browser.cookies.get('www3.hants.localhost')?.set('portal', browser.cookies.get('portal.hants.localhost')?.get('portal') ?? ''),
    ],
    ['without the hand-off’s cookie', browser => browser.cookies.get('www3.hants.localhost')?.delete('portal-handoff')],
  ])('%s is nobody’s, and not kept', async (_how, change) => {
    const browser = await timedOut();
    change(browser);
    await isLost(browser, await send(browser));
  });

  test('is not kept after signing out: that person has left', async () => {
    const { browser } = await visit(app, 'WENDY166');
    await browser.submit(`${app.portal}/sign-out`, await browser.get(`${app.portal}/organisation`), {});
    await isLost(browser, await send(browser));
  });

  test('to an old login form is not kept: it holds a password, and leads on by itself', async () => {
    const browser = await timedOut();
    const sent = await send(browser, { path: '/trailblazer-login', body: 'user=a&password=b' });
    expect([sent.status, sent.headers.location]).toEqual([303, expect.not.stringContaining('form=')]);
    expect(await keptForms()).toEqual([]);
    expect((await signInAfter(browser, sent)).url).toBe(`${origin()}/trailblazer/`);
  });
});

describe('a kept form', () => {
  beforeAll(() => start(), 60_000);
  afterAll(stop);
  beforeEach(() => wire.forget());
  afterEach(() => app.store.db.deleteFrom('kept_forms').execute());

  test('is never seen by somebody else who signs in there, and is gone then', async () => {
    const browser = await timedOut();
    const sent = await send(browser);
    const page = await signInAfter(browser, sent, 'JHOWEL12');
    expect([page.url, headingOf(page.body)]).toEqual([`${app.portal}/`, 'Your Services Portal account']);
    expect(await keptForms()).toEqual([]);
    await browser.submit(`${app.portal}/sign-out`, await browser.get(`${app.portal}/organisation`), {});
    const back = await signInAfter(browser, sent);
    expect([back.status, headingOf(back.body)]).toEqual([410, 'This form is not here any more']);
    expect(posted().posts).toEqual([]);
  });

  test('is not there for its own person in another browser', async () => {
    const address = (await askedToSend(await timedOut())).url;
    const { browser } = await visit(app, 'WENDY166');
    const page = await browser.get(address);
    expect([page.status, headingOf(page.body)]).toEqual([410, 'This form is not here any more']);
    expect(await keptForms()).toHaveLength(1);
  });

  test('is gone after an hour, for the page and for the button', async () => {
    const browser = await timedOut();
    const sent = await send(browser);
    app.clock.now += 30 * MINUTE;
    const page = await signInAfter(browser, sent);
    app.clock.now += 30 * MINUTE;
    expect((await browser.get(page.url)).status).toBe(410);
    expect((await press(browser, page)).status).toBe(410);
    expect(posted().posts).toEqual([]);
  });

  test('is not sent when the right was lost, and waits in case it comes back', async () => {
    const browser = await timedOut();
    const page = await askedToSend(browser);
    const who = await idsOf(app, 'WENDY166', 'SP3');
    await changeRights(app, who, (tx, change) => revokeGrant(tx, { ...change, service: 'trailblazer' }));
    for (const answer of [await browser.get(page.url), await press(browser, page)])
      expect([answer.status, headingOf(answer.body)]).toEqual([403, expect.stringContaining('You do not have access to Trailblazer')]);
    expect(posted().posts).toEqual([]);
    await changeRights(app, who, (tx, change) => grant(tx, { ...change, service: 'trailblazer', endsAt: null }));
    expect((await press(browser, page)).status).toBe(200);
    expect(posted().posts).toHaveLength(1);
  });

  test('is not sent without the page’s own token, nor by another page', async () => {
    const browser = await timedOut();
    const page = await askedToSend(browser);
    for (const token of ['', 'x', 'x'.repeat(43), 'x'.repeat(2 * KIB)])
      expect((await press(browser, page, { _csrf: token })).status).toBe(403);
    for (const headers of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'same-site' }])
      expect((await press(browser, page, {}, headers)).status).toBe(403);
    expect(posted().posts).toEqual([]);
    expect((await press(browser, page)).status).toBe(200);
  });

  test('goes to its own address only', async () => {
    const browser = await timedOut();
    const page = await askedToSend(browser);
    const headers = { origin: origin(), referer: page.url };
    const elsewhere = await browser.submit(`${origin()}/trailblazer/other.htm`, page, {}, { follow: false, headers });
    expect(elsewhere.status).toBe(410);
    expect(posted().posts).toEqual([]);
    expect((await press(browser, page)).status).toBe(200);
    expect(posted().body).toBe('message=secret-words');
  });

  test('waits when the session has ended again before the button is pressed', async () => {
    const browser = await timedOut();
    const page = await askedToSend(browser);
    const { person } = await idsOf(app, 'WENDY166', 'SP3');
    const now = app.clock.now;
    await app.store.change(tx => endSessions(tx, { person }, { reason: 'password-set', now }));
    const pressed = await press(browser, page);
    expect([pressed.status, (await keptForms()).length]).toEqual([303, 1]);
    const again = await signInAfter(browser, pressed);
    expect([again.url, headingOf(again.body)]).toEqual([page.url, 'Send your form?']);
    expect((await press(browser, again)).status).toBe(200);
    expect(posted().body).toBe('message=secret-words');
  });

  test('waits when its page is opened once more after the session’s end', async () => {
    const browser = await timedOut();
    const page = await askedToSend(browser);
    const { person } = await idsOf(app, 'WENDY166', 'SP3');
    const now = app.clock.now;
    await app.store.change(tx => endSessions(tx, { person }, { reason: 'password-set', now }));
    const again = await signInAfter(browser, await browser.get(page.url, { follow: false }));
    expect([again.url, headingOf(again.body)]).toEqual([page.url, 'Send your form?']);
  });

  test('that the other organisation gave the right for is sent after changing to it', async () => {
    const browser = await timedOut('OLLIE199');
    const page = await signInAfter(browser, await send(browser), 'OLLIE199');
    expect([page.status, headingOf(page.body)]).toEqual([403, expect.stringContaining('Change organisation to open Trailblazer')]);
    const choice = await browser.get(plain(/href="([^"]+\/organisation\?[^"]+)"/.exec(page.body)?.[1] ?? ''));
    const { organisation } = await idsOf(app, 'OLLIE199', '2746');
    const asked = await browser.submit(`${app.portal}/organisation`, choice, { organisation: String(organisation) });
    expect(headingOf(asked.body)).toBe('Send your form?');
    expect((await press(browser, asked)).status).toBe(200);
    expect(posted().body).toBe('message=secret-words');
  });

  test.each(['', '?id=', '?id=0', '?id=x', '?id=1&id=2', '?id=999999', '?id=-1', `?id=${'9'.repeat(30)}`])('“%s” is none', async query => {
    const { browser } = await visit(app, 'WENDY166');
    const answer = await browser.get(`${origin()}/.portal/form${query}`);
    expect([answer.status, headingOf(answer.body)]).toEqual([410, 'This form is not here any more']);
  });
});

describe('a kept form that cannot be sent', () => {
  let legacy: Server;
  let port: number;
  let opensAgain: number;
  let arrived: string[];

  /** Trailblazer on a server of our own, which is there when a test says so. */
  async function startAway(env: Record<string, string>, minutesClosed = 0): Promise<void> {
    port = await freePort();
    arrived = [];
    legacy = createServer(async (asked, response) => {
      if (asked.method === 'GET') return;
      let body = '';
      for await (const chunk of asked) body += chunk;
      arrived.push(`${asked.url} ${body}`);
      response.end('thank you');
    });
    app = await startApp({
      env,
      change: deps => {
        opensAgain = deps.now() + minutesClosed * MINUTE;
        const moved = withUpstreams(deps, ({ service }) => (service === 'trailblazer' ? `http://127.0.0.1:${port}` : null));
        const maintenance = minutesClosed > 0 ? { words: 'We move to a new server', until: opensAgain } : null;
        const services = moved.catalogue.services.map(one => (one.id === 'trailblazer' ? { ...one, maintenance } : one));
        return { ...moved, catalogue: { ...moved.catalogue, services } };
      },
    });
  }
  const comes = () => new Promise<void>(resolve => legacy.listen(port, '127.0.0.1', resolve));
  afterEach(async () => {
    await app.close();
    legacy.closeAllConnections();
    await new Promise(resolve => legacy.close(resolve));
  });

  const sentForms = async () =>
    (await app.store.db.selectFrom('events').select('kind').where('kind', '=', 'kept-form-sent').execute()).length;
  const expectItWaits = async (answer: Answer, status: number, title: string) => {
    expect([answer.status, headingOf(answer.body)]).toEqual([status, title]);
    expect([(await keptForms()).length, await sentForms()]).toEqual([1, 0]);
  };
  const expectItGoes = async (browser: Browser, page: Answer) => {
    expect((await press(browser, page)).body).toBe('thank you');
    expect(arrived).toEqual([`${FORM} message=secret-words`]);
    await expect.poll(sentForms).toBe(1);
    expect(await keptForms()).toEqual([]);
    expect((await press(browser, page)).status).toBe(410);
  };
  const away = async () => {
    const { browser } = await visit(app, 'WENDY166');
    app.clock.now += 61 * MINUTE;
    return browser;
  };

  test('because nobody can reach its server waits, before and after the server is known to be dead', async () => {
    await startAway({});
    const browser = await away();
    const page = await askedToSend(browser);
    const before = (await keptForms())[0]!;
    for (let count = 0; count < 7; count += 1)
      await expectItWaits(await press(browser, page), 502, 'This service is not working at the moment');
    expect(app.log()).toContain('not asked');
    expect((await keptForms())[0]).toEqual({ ...before, sealed: expect.any(String) });
    await comes();
    // Every five seconds one request may find out whether it is back.
    await expect.poll(async () => (await press(browser, page)).status, { timeout: 30_000, interval: 500 }).toBe(200);
    expect(arrived).toEqual([`${FORM} message=secret-words`]);
  });

  test('because its service is closed waits for as long as any', async () => {
    await startAway({}, 61 + 10);
    await comes();
    const browser = await away();
    const page = await askedToSend(browser);
    await expectItWaits(await press(browser, page), 503, 'This service is closed for maintenance');
    app.clock.now = opensAgain;
    await expectItGoes(browser, page);
  });

  test('because too many wait already waits too, and so does one whose person left the line', async () => {
    await startAway({ UPSTREAM_CONNECTIONS: '1' });
    await comes();
    const browser = await away();
    const page = await askedToSend(browser);
    const { queue } = app.app.present().parts.upstreams.of(`http://127.0.0.1:${port}`);
    const leaving = new AbortController();
    const ask = (path: string, options: object = {}, { signal } = leaving) =>
      request(`http://127.0.0.1:${app.port}${path}`, {
        ...{ signal, ...options },
        headers: { host: hostOf(app, 'www3'), cookie: cookiesOf(browser, 'www3'), origin: origin(), referer: page.url },
      }).catch(() => null);
    const crowd = Array.from({ length: 10 }, () => ask('/trailblazer/never'));
    await expect.poll(() => queue.sizes()).toEqual({ inside: 1, waiting: 9 });
    const last = new AbortController();
    crowd.push(ask('/trailblazer/never', {}, last));
    await expect.poll(() => queue.sizes()).toEqual({ inside: 1, waiting: 10 });
    await expectItWaits(await press(browser, page), 503, 'This service is very busy');

    last.abort();
    await expect.poll(() => queue.sizes().waiting).toBe(9);
    const csrf = /name="_csrf" value="([^"]+)"/.exec(mainOf(page))?.[1] ?? '';
    crowd.push(ask(FORM, { method: 'POST', body: new URLSearchParams({ _csrf: csrf }).toString() }));
    await expect.poll(() => queue.sizes().waiting).toBe(10);
    expect(await keptForms()).toEqual([]);
    leaving.abort();
    await Promise.all(crowd);
    await expect.poll(async () => (await keptForms()).length).toBe(1);
    await expect.poll(() => queue.sizes()).toEqual({ inside: 0, waiting: 0 });
    await expectItGoes(browser, page);
  });
});

describe('other clients', () => {
  beforeAll(() => start(), 60_000);
  afterAll(stop);

  test.each<Record<string, string>>([
    { 'sec-fetch-mode': 'cors', 'sec-fetch-site': 'same-origin' },
    { 'x-requested-with': 'XMLHttpRequest' },
    { accept: 'application/json' },
  ])('that say %o get 401 or 403 as JSON, and nothing of theirs is kept', async said => {
    const headers = { origin: origin(), ...said };
    const unknown = await send(await timedOut(), { headers });
    expect([unknown.status, JSON.parse(unknown.body).error]).toEqual([401, 'sign-in-needed']);
    expect(await keptForms()).toEqual([]);
    const { browser } = await visit(app, 'JHOWEL12');
    const refused = await send(browser, { headers });
    expect([refused.status, JSON.parse(refused.body).error]).toEqual([403, 'access-refused']);
  });

  test('htmx is led to sign-in', async () => {
    const answer = await send(await timedOut(), { headers: { origin: origin(), 'sec-fetch-mode': 'cors', 'hx-request': 'true' } });
    expect([answer.status, answer.headers['hx-redirect']]).toEqual([401, `${app.portal}/sign-in`]);
  });
});
