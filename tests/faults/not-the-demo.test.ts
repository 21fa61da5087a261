import type { ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Answer, type Browser, createBrowser } from '#tests/app.ts';
import { alice, emptyPlace, jane, linksIn, type Place, run, writePeople } from '#tests/command-line-steps.ts';
import { freePort } from '#tests/free-port.ts';
import { startGateway, stopGateway } from '#tests/gateway-process.ts';

// From an empty folder to a first signed-in administrator, with nothing set but CATALOGUE, DATA_DIR and PORT: each test is one step.
const portal = 'https://portal.hants.gov.uk';
const password = 'correct horse battery staple';
const byProxy = { 'x-forwarded-proto': 'https', 'x-forwarded-for': '203.0.113.7' };

let place: Place;
let port = 0;
let people = '';
let gateway: ChildProcess | null = null;
const links: Record<string, string | undefined> = {};
const command = (...args: string[]) => run(place.env, 'gateway/command-line.ts', args);

beforeAll(async () => {
  place = emptyPlace();
  port = await freePort();
  place.env.PORT = String(port);
  people = writePeople(place.dir, [alice, jane]);
});
afterAll(async () => {
  if (gateway) await stopGateway(gateway);
  rmSync(place.dir, { recursive: true, force: true });
});

const browser = (): Browser => createBrowser(port);
const get = (who: Browser, path: string): Promise<Answer> => who.get(portal + path, { headers: byProxy });
const submit = (who: Browser, path: string, page: Answer, fields: Record<string, string>): Promise<Answer> =>
  who.submit(portal + path, page, fields, { headers: byProxy });

async function setPassword(link: string | undefined): Promise<Answer> {
  const who = browser();
  const page = await get(who, (link ?? '').slice(portal.length));
  return page.status === 200 ? submit(who, '/set-password', page, { password }) : page;
}

async function signIn(email: string): Promise<{ who: Browser; account: Answer }> {
  const who = browser();
  const page = await get(who, '/sign-in');
  return { who, account: await submit(who, '/sign-in', page, { user_id: email, password }) };
}

test('check finds nothing wrong with an empty folder', async () => {
  const { code, out } = await command('check');
  expect(code).toBe(0);
  expect(out).toMatch(/^Settings: right\. This is a real installation\.$/m);
  expect(out).toMatch(/empty so far\.$/m);
});

test('the import shows what it would do, and then does it and prints the administrator’s link', async () => {
  expect((await command('import', people)).out).toContain('This was a dry run');
  const { code, out, err } = await command('import', people, '--apply');
  expect([code, err]).toEqual([0, '']);
  links.administrator = linksIn(out)[0];
  expect(links.administrator).toBeDefined();
});

test('the organisation gets a service, and the council its first operator', async () => {
  expect((await command('subscribe', 'S1', 'efs')).code).toBe(0);
  const { code, out } = await command('council', 'add', 'olga@hants.gov.uk', '--first-name', 'Olga', '--last-name', 'Operator');
  expect(code).toBe(0);
  links.operator = linksIn(out)[0];
  expect(links.operator).toBeDefined();
});

test('the gateway starts with the same settings', async () => {
  gateway = await startGateway(place.env);
});

test('plain http is sent to https without a cookie, and behind the TLS proxy cookies are for https and this host alone', async () => {
  const plain = await browser().get(`${portal}/sign-in`, { follow: false });
  expect([plain.status, plain.headers.location]).toEqual([302, `${portal}/sign-in`]);
  expect(plain.headers['set-cookie']).toBeUndefined();
  const behindProxy = await get(browser(), '/sign-in');
  expect(behindProxy.status).toBe(200);
  expect(String(behindProxy.headers['set-cookie'])).toMatch(/^__Host-portal-form=.*; Path=\/; HttpOnly; SameSite=Lax; Secure$/);
});

test('the administrator sets a password by the printed link, once, and signs in', async () => {
  const set = await setPassword(links.administrator);
  expect([set.status, new URL(set.url).pathname]).toEqual([200, '/sign-in']);
  expect((await setPassword(links.administrator)).status).toBe(410);
  const { who, account } = await signIn('alice@first.example');
  expect(account.status).toBe(200);
  expect(account.body).toContain('Hello Alice');
  expect(account.body).toContain('First School');
  expect(account.body).toContain('Organisation Admin');
  expect([...who.cookies.get('portal.hants.gov.uk')!.keys()]).toEqual(['__Host-portal']);
});

test('what a command changes is so for the running gateway within moments, though the command wakes nobody', async () => {
  expect((await setPassword(links.operator)).status).toBe(200);
  const { who, account } = await signIn('olga@hants.gov.uk');
  expect(account.body).toContain('Hello Olga');
  expect((await command('council', 'remove', 'olga@hants.gov.uk', '--reason', 'only for a test')).code).toBe(0);
  await expect.poll(async () => new URL((await get(who, '/')).url).pathname, { timeout: 10_000 }).toBe('/sign-in');
});

test('commands and the gateway write side by side', async () => {
  const [subscribed, signedIn, checked] = await Promise.all([
    command('subscribe', 'S1', 'hias'),
    signIn('alice@first.example'),
    command('check'),
  ]);
  expect(subscribed).toMatchObject({ code: 0, err: '' });
  expect(checked).toMatchObject({ code: 0, err: '' });
  expect(signedIn.account.body).toContain('Organisation Admin');
  expect((await get(signedIn.who, '/')).body).toContain('Hampshire Inspectorate Advisory Service');
});

test('a second gateway does not start on the folder', async () => {
  const second = await run(place.env, 'gateway/main.ts');
  expect([second.code, second.err]).toEqual([1, expect.stringMatching(/^Another gateway is using the folder .*\.\n$/)]);
});
