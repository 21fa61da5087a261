import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startApp, type TestApp } from '#tests/app.ts';
import { written } from '#tests/attacks/written.ts';
import { requestsOn, startWire, type Wire } from '#tests/legacy-wire.ts';
import { ask, requestBytes, sendRaw } from '#tests/raw-http.ts';
import { headingOf, hostOf, visit } from '#tests/visits.ts';

const corpus = <Row>(name: string) => JSON.parse(readFileSync(new URL(`../attacks/${name}.json`, import.meta.url), 'utf8')) as Row[];
/** Each row with its title: of long values by name (`$why`) a title shows the beginning only. */
const titled = <Row>(name: string, title: (row: Row) => string) => corpus<Row>(name).map(row => [title(row), row] as const);
type Target = { target: string; why: string };

let app: TestApp;
let wire: Wire;
let host: string;
let cookie: string;

beforeAll(async () => {
  wire = await startWire();
  app = await startApp({ change: deps => wire.into(deps) });
  ({ host, cookie } = await visit(app, 'WENDY166'));
});
afterAll(async () => {
  await app.close();
  await wire.close();
});
beforeEach(() => wire.forget());

describe('a path that servers could read in two ways', () => {
  test.each(titled<Target>('refused-paths', ({ target, why }) => `${target}: ${why}`))('%s', async (_title, row) => {
    const www = hostOf(app, 'www');
    const strangers = await ask(app.port, { target: written(row, 'educationandlearning/governors', www), host: www });
    const granted = await ask(app.port, { target: written(row, 'trailblazer', host), host, headers: [['Cookie', cookie]] });
    const ungranted = await ask(app.port, { target: written(row, 'efs', host), host, headers: [['Cookie', cookie]] });
    for (const { status } of [strangers, granted, ungranted]) expect(status).toBe(400);
    for (const { text } of [strangers, granted, ungranted]) expect(text).not.toMatch(/X-Evil:1|FST_|evil\.example/);
    expect(wire.received()).toBe('');
  });

  test.each(titled<Target>('same-paths', ({ target, why }) => `${target} is judged like the page itself: ${why}`))(
    '%s',
    async (_title, row) => {
      const www = hostOf(app, 'www');
      const stranger = await ask(app.port, { target: written(row, 'educationandlearning/governors', www), host: www });
      expect([stranger.status, stranger.header('location')?.startsWith(`${app.portal}/sign-in/site?`)]).toEqual([302, true]);
      const ungranted = await ask(app.port, { target: written(row, 'efs', host), host, headers: [['Cookie', cookie]] });
      expect([ungranted.status, headingOf(ungranted.body)]).toEqual([403, 'You do not have access to Education Finance Services (EFS)']);
      expect(wire.received()).toBe('');
      const target = written(row, 'trailblazer', host);
      const granted = await ask(app.port, { target, host, headers: [['Cookie', cookie]] });
      expect([200, 404]).toContain(granted.status);
      // Whatever it is called like, no cache on the way may keep it for the next to ask (web cache deception).
      expect([stranger, ungranted].map(answer => answer.header('cache-control'))).toEqual(['no-store', 'no-store']);
      expect(granted.header('cache-control')).toMatch(/^private, no-/);
      expect(requestsOn(wire.received()).map(({ line }) => line)).toEqual([`GET ${target} HTTP/1.1`]);
    },
  );

  test.each([
    '/trailblazer/..;/efs/',
    '/trailblazer/..%2fefs/',
    '/education/hias/moodle/..%2f..%2f..%2fefs/',
    '/css/..;/efs/',
    '/css/%2e%2e/efs/',
    '/education/hias/moodle/..;/',
    '/.portal/../efs/',
    '/.portal/session/../../efs/',
    '/css/..%5cefs/',
  ])('%s leads from an open or granted page to no other', async target => {
    for (const who of ['', cookie])
      expect([400, 404]).toContain((await ask(app.port, { target, host, headers: [['Cookie', who]] })).status);
    expect(wire.received()).toBe('');
  });
});

describe('the Host header', () => {
  test.each(corpus<{ host: string; status: number; why: string }>('hosts'))('“$host” ($why) is answered $status', async row => {
    const answer = await ask(app.port, { target: '/efs/', host: row.host.replace('{port}', String(app.port)) });
    expect(answer.status).toBe(row.status);
    if (row.status === 302)
      expect(answer.header('location')).toMatch(
        new RegExp(`^${app.portal}/sign-in/site\\?to=${encodeURIComponent(`http://${host}/efs/`)}&`),
      );
    expect(answer.header('location') ?? '').not.toContain('evil.example');
    expect(wire.received()).toBe('');
  });
});

describe('a header that decides elsewhere', () => {
  test.each(corpus<{ name: string; value: string; why: string }>('ignored-headers'))(
    '$name: $value changes nothing ($why)',
    async ({ name, value }) => {
      const headers: [string, string][] = [[name, value]];
      const stranger = await ask(app.port, { target: '/efs/', host, headers });
      expect([
        stranger.status,
        stranger.header('location')?.startsWith(`${app.portal}/sign-in/site?to=${encodeURIComponent(`http://${host}/efs/`)}`),
      ]).toEqual([302, true]);
      expect((await ask(app.port, { target: '/efs/', host, headers: [['Cookie', cookie], ...headers] })).status).toBe(403);
      const account = await ask(app.port, { target: '/', host: hostOf(app, 'portal'), headers });
      expect([account.status, account.header('location')]).toEqual([302, '/sign-in']);
      expect(wire.received()).toBe('');
    },
  );
});

describe('a WebDAV request that names a second address', () => {
  const guarded = 'educationandlearning/governors/minutes.htm';
  const copy = (destination: string) =>
    ask(app.port, { method: 'COPY', target: '/aboutthecouncil/a.htm', host: hostOf(app, 'www'), headers: [['Destination', destination]] });

  test.each([
    `/${guarded}`,
    `http://{www}/${guarded}`,
    `HTTPS://{www}/${guarded}`,
    `http://WWW.hants.localhost./${guarded.toUpperCase()}`,
    `http://{www3}/efs/`,
    'http://evil.example/x',
    `/x/..%2f${guarded}`,
    `//{www}/${guarded}`,
    '/.portal/x',
    guarded,
    '',
    `/b.htm, /${guarded}`,
  ])('does not reach %s from an open page', async destination => {
    const spelled = destination.replace('{www}', hostOf(app, 'www')).replace('{www3}', host);
    expect((await copy(spelled)).status).toBe(400);
    expect(wire.received()).toBe('');
  });

  test.each(['/aboutthecouncil/b.htm', 'http://{www}/b%20c.htm?x'])('reaches %s, which is of the same page', async destination => {
    const spelled = destination.replace('{www}', hostOf(app, 'www'));
    await copy(spelled);
    expect(requestsOn(wire.received()).map(({ line, headers }) => [line, Object.fromEntries(headers).destination])).toEqual([
      ['COPY /aboutthecouncil/a.htm HTTP/1.1', spelled],
    ]);
  });
});

describe('a request that two servers could read in two ways', () => {
  test.each(titled<{ why: string; bytes: string; statuses: number[] }>('raw-requests', ({ why }) => why))(
    '%s',
    async (_why, { bytes, statuses }) => {
      const answer = await sendRaw(app.port, Buffer.from(bytes.replaceAll('{host}', host).replaceAll('{cookie}', cookie), 'latin1'));
      expect(statuses).toContain(answer.status);
      expect(answer.text.match(/HTTP\/1\.1 \d{3}/g) ?? []).toHaveLength(answer.status === 0 ? 0 : 1);
      expect(wire.received()).not.toContain('smuggled');
      if (!statuses.includes(502)) expect(wire.received()).toBe('');
      expect((await ask(app.port, { target: '/trailblazer/', host, headers: [['Cookie', cookie]] })).status).toBe(200);
    },
  );

  test('more headers than anybody needs, a length hidden behind them, and headers without end #62', async () => {
    const many = Array.from({ length: 110 }, (_, index) => [`X-${index}`, '1'] as [string, string]);
    const hidden: [string, string][] = [...many, ['Content-Length', '60'], ['Cookie', cookie]];
    const answer = await ask(app.port, {
      method: 'POST',
      target: '/trailblazer/contact.htm',
      host,
      headers: hidden,
      body: requestBytes({ target: '/trailblazer/smuggled', host }),
    });
    expect([answer.status, headingOf(answer.body)]).toEqual([431, 'This request is too large']);
    const huge = await ask(app.port, { target: '/trailblazer/', host, headers: [['X-Huge', 'x'.repeat(20_000)]] });
    expect(huge.status).toBe(431);
    expect(wire.received()).toBe('');
  });

  test('chunk extensions without end #60', async () => {
    const start = requestBytes({
      method: 'POST',
      target: '/trailblazer/contact.htm',
      host,
      headers: [
        ['Cookie', cookie],
        ['Transfer-Encoding', 'chunked'],
      ],
    });
    const answer = await sendRaw(app.port, Buffer.concat([start, Buffer.from(`5;${'x'.repeat(40_000)}\r\nhello\r\n0\r\n\r\n`)]));
    expect([400, 413, 502]).toContain(answer.status);
    expect(wire.received()).not.toContain('xxxx');
  });

  test('requests one after the other on a connection are each judged', async () => {
    const keep: [string, string] = ['Connection', 'keep-alive'];
    const first = requestBytes({ target: '/trailblazer/news.htm', host, headers: [['Cookie', cookie], keep] });
    const second = requestBytes({ target: '/trailblazer/contact.htm', host, headers: [keep] });
    const third = requestBytes({ target: '/efs/', host, headers: [['Cookie', cookie]] });
    const { text } = await sendRaw(app.port, Buffer.concat([first, second, third]));
    expect([...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => status)).toEqual(['200', '302', '403']);
    expect(requestsOn(wire.received()).map(({ line }) => line)).toEqual(['GET /trailblazer/news.htm HTTP/1.1']);
  });
});
