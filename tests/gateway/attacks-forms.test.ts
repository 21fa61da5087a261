import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { asAdministrator, innovations } from '#tests/admin-ui-steps.ts';
import { type Browser, startApp, type TestApp } from '#tests/app.ts';
import { startServer, startWire, type Wire, withUpstreams } from '#tests/legacy-wire.ts';
import { ask, type RawRequest } from '#tests/raw-http.ts';
import { hostOf, idsOf, visit } from '#tests/visits.ts';

const BOMB = gzipSync(Buffer.alloc(20_000_000));
const DEEP = `${'['.repeat(30_000)}${']'.repeat(30_000)}`;

let app: TestApp;
let wire: Wire;
let packed: Awaited<ReturnType<typeof startServer>>;
let host: string;
let cookie: string;
let james: Browser;

beforeAll(async () => {
  wire = await startWire();
  packed = await startServer((_request, response) =>
    response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': BOMB.length }).end(BOMB),
  );
  app = await startApp({ change: deps => withUpstreams(wire.into(deps), ({ service }) => (service === 'hias' ? packed.origin : null)) });
  const wendy = await visit(app, 'WENDY166');
  ({ host, cookie } = wendy);
  james = await asAdministrator(app, 'JHOWEL12');
});
afterAll(async () => {
  await app.close();
  await wire.close();
  await packed.close();
});
beforeEach(() => wire.forget());

const body = (type: string, bytes: string | Buffer, ...more: [string, string][]): Partial<RawRequest> => ({
  method: 'POST',
  headers: [['Cookie', cookie], ['Content-Type', type], ['Content-Length', String(Buffer.byteLength(bytes))], ...more],
  body: bytes,
});

describe('fields that no page has', () => {
  const invitation = (name: string) => ({ firstName: 'Una', lastName: 'Ash', email: `${name}@innovations.example`, phone: '' });
  const send = async (fields: Record<string, string | string[]>) =>
    james.submit(`${app.portal}${innovations}/people/new`, await james.get(`${app.portal}${innovations}/people/new?account=no`), fields);
  const personOf = async (name: string) => {
    const row = await app.store.db
      .selectFrom('people')
      .selectAll()
      .where('email', '=', `${name}@innovations.example`)
      .executeTakeFirstOrThrow();
    const rules = await app.store.db.selectFrom('rules').selectAll().where('v0', '=', `u:${row.id}`).execute();
    return { ...row, id: 0, email: '', email_key: '', email_search: '', created_at: 0, rules };
  };

  test('write nothing into a row (mass assignment)', async () => {
    await send(invitation('plain'));
    const extra = {
      ...{ id: '1', sourceId: '4711', source_id: '4711', active: '0', kind: 'council', password: 'x', password_hash: 'x', now: '0' },
      ...{ administrator: 'yes', services: ['efs', 'trailblazer'], organisation: '2', organisation_id: '2', person: '1', council: 'yes' },
    };
    await send({ ...invitation('extra'), ...extra });
    expect(await personOf('extra')).toEqual(await personOf('plain'));
  });

  test('sign nobody else in', async () => {
    const { person } = await idsOf(app, 'JHOWEL12', 'SP3');
    const browser = app.browser();
    const form = await browser.get(`${app.portal}/sign-in`);
    const fields = {
      user_id: 'BEN155',
      password: 'walnut-ladder-155',
      person: String(person),
      person_id: String(person),
      kind: 'council',
      organisation: '2',
    };
    const page = await browser.submit(`${app.portal}/sign-in`, form, fields);
    expect(page.body).toContain('Hello Ben');
  });
});

test.each([
  [
    'application/x-www-form-urlencoded',
    '_csrf={token}&__proto__[polluted]=yes&constructor[prototype][polluted]=yes&__proto__.polluted=yes&__proto__=yes',
  ],
  [
    'application/x-www-form-urlencoded',
    '_csrf={token}&user_id[__proto__][polluted]=yes&user_id=__proto__&password=constructor&return=__proto__',
  ],
  ['application/json', '{"_csrf":"{token}","__proto__":{"polluted":"yes"}}'],
  ['application/json', '{"_csrf":"{token}","constructor":{"prototype":{"polluted":"yes"}}}'],
])('%s %s changes no object but its own (prototype pollution)', async (type, text) => {
  const browser = app.browser();
  const token = /name="_csrf" value="([^"]+)"/.exec((await browser.get(`${app.portal}/sign-in`)).body)?.[1] ?? '';
  const answer = await browser.get(`${app.portal}/sign-in`, {
    method: 'POST',
    follow: false,
    headers: { 'content-type': type },
    body: text.replace('{token}', token),
  });
  expect([400, 403, 422]).toContain(answer.status);
  expect(({} as { polluted?: string }).polluted).toBeUndefined();
  expect((await browser.get(`${app.portal}/sign-in`)).status).toBe(200);
});

describe('what grows when it is read', () => {
  test.each([
    ['deep JSON', 'application/json', DEEP, []],
    ['a packed form', 'application/x-www-form-urlencoded', BOMB, [['Content-Encoding', 'gzip']]],
    ['packed JSON', 'application/json', BOMB, [['Content-Encoding', 'gzip']]],
    ['a form of 20,000 fields', 'application/x-www-form-urlencoded', 'a&'.repeat(20_000), []],
  ] as [string, string, string | Buffer, [string, string][]][])('%s is refused by the portal', async (_what, type, bytes, more) => {
    const answer = await ask(app.port, { target: '/sign-in', host: hostOf(app, 'portal'), ...body(type, bytes, ...more) });
    expect([400, 403, 413, 415]).toContain(answer.status);
    expect(answer.text).not.toContain('FST_');
    expect((await ask(app.port, { target: '/sign-in', host: hostOf(app, 'portal') })).status).toBe(200);
  });

  test('goes to a legacy page as it is', async () => {
    expect((await ask(app.port, { target: '/trailblazer/contact.htm', host, ...body('application/json', DEEP) })).status).toBe(200);
    expect(wire.received().endsWith(DEEP)).toBe(true);
    const gzip = body('application/x-www-form-urlencoded', BOMB, ['Content-Encoding', 'gzip']);
    await ask(app.port, { target: '/trailblazer/contact.htm', host, ...gzip });
    expect(wire.received().endsWith(BOMB.toString('latin1'))).toBe(true);
  });

  test('comes from a legacy page as it is', async () => {
    const { cookie: james } = await visit(app, 'JHOWEL12');
    const answer = await ask(app.port, { target: '/education/hias/packed', host, headers: [['Cookie', james]] });
    expect([answer.status, answer.header('content-encoding')]).toEqual([200, 'gzip']);
    expect(answer.body === BOMB.toString('latin1')).toBe(true);
  });
});

test.each([
  ['X-HTTP-Method-Override', 'POST'],
  ['X-Method-Override', 'POST'],
  ['X-HTTP-Method', 'POST'],
])('%s makes no form of a link (method override)', async (name, value) => {
  const browser = await app.signIn('WENDY166');
  const token = /name="_csrf" value="([^"]+)"/.exec((await browser.get(`${app.portal}/organisation`)).body)?.[1];
  const address = `${app.portal}/sign-out?_csrf=${token}&_method=POST`;
  expect((await browser.get(address, { headers: { [name]: value }, follow: false })).status).toBe(404);
  expect((await browser.get(`${app.portal}/organisation`, { follow: false })).status).toBe(200);
});
