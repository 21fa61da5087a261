import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { sayInstant } from '#config/calendar.ts';
import type { Service } from '#config/catalogue.ts';
import { lookUp, takeApart } from '#gateway/commands/address.ts';
import { runCommand } from '#gateway/commands/commands.ts';
import { startApp, type TestApp } from '#tests/app.ts';
import { startWire, type Wire } from '#tests/legacy-wire.ts';
import { ask, upgrade } from '#tests/raw-http.ts';
import { headingOf, hostOf, plain, visit } from '#tests/visits.ts';

const HOUR = 3_600_000;
const title = 'This service is closed for maintenance';
let app: TestApp;
let wire: Wire;
let until: number;
let host: string;
let cookie: string;

beforeAll(async () => {
  wire = await startWire();
  app = await startApp({
    change: deps => {
      until = deps.now() + 2 * HOUR;
      const closed: Record<string, Partial<Service>> = {
        hias: { maintenance: { words: 'The reports of <July> are being put in', until } },
        efs: { maintenance: { words: 'It moves to a new server', until: null } },
      };
      const { catalogue, ...rest } = wire.into(deps);
      return { ...rest, catalogue: { ...catalogue, services: catalogue.services.map(one => ({ ...one, ...closed[one.id] })) } };
    },
  });
  ({ host, cookie } = await visit(app, 'JHOWEL12'));
});
afterAll(async () => {
  await app.close();
  await wire.close();
});
beforeEach(() => wire.forget());

const at = (path: string) => `http://${hostOf(app, 'www3')}${path}`;
const get = (target: string, headers: [string, string][] = []) =>
  ask(app.port, { host, target, headers: [['Cookie', cookie], ...headers] });

test('whoever may use a closed service reads which, why, until when, and whom to ask', async () => {
  const page = await get('/education/hias/reports');
  expect([page.status, headingOf(page.body), page.header('retry-after'), page.header('cache-control')]).toEqual([
    503,
    title,
    '7200',
    'no-store',
  ]);
  for (const words of [
    'You are allowed to use Hampshire Inspectorate Advisory Service (HIAS), but it is closed at the moment.',
    'The reports of <July> are being put in',
    `It opens again on ${sayInstant(until)}.`,
    'hias.enquiries@hants.gov.uk',
  ])
    expect(plain(page.body)).toContain(words);
  const reference = /Reference: <strong>([0-9A-F-]{14})/.exec(page.body)?.[1];
  expect(app.log()).toContain(`"reqId":"${reference}","problem":"service-closed"`);
  expect(wire.received()).toBe('');
});

test('without an end it says to try later, and asks programs to wait ten minutes', async () => {
  const page = await get('/efs/');
  expect([page.status, page.header('retry-after')]).toEqual([503, '600']);
  expect(plain(page.body)).toMatch(/It moves to a new server[\s\S]*Try again later\.[\s\S]*education\.finance@hants\.gov\.uk/);
  expect(JSON.parse((await get('/efs/', [['Accept', 'application/json']])).body.split('\r\n').find(line => line.startsWith('{'))!)).toEqual(
    {
      error: 'service-closed',
      message: expect.stringContaining('it is closed at the moment'),
      reference: expect.any(String),
    },
  );
});

test('a WebSocket, a form and a program meet the same', async () => {
  const { answer, closed } = await upgrade(app.port, { host, target: '/efs/echo', headers: [['Cookie', cookie]] });
  expect([answer.status, (await closed).includes(title)]).toEqual([503, true]);
  const form = {
    method: 'POST',
    host,
    target: '/efs/',
    headers: [
      ['Cookie', cookie],
      ['Content-Length', '3'],
    ] as [string, string][],
  };
  expect((await ask(app.port, { ...form, body: 'a=b' })).status).toBe(503);
  expect(wire.received()).toBe('');
});

test('what is open when a service closes ends, and what belongs to others goes on', async () => {
  const closed = app.app.present().parts.catalogue;
  await app.app.serve({ ...closed, services: closed.services.map(one => ({ ...one, maintenance: null })) });
  const open = (target: string) => upgrade(app.port, { host, target, headers: [['Cookie', cookie]] });
  const ends = await open('/efs/echo');
  const goesOn = await open('/education/hias/moodle/echo');
  expect([ends.answer.status, goesOn.answer.status]).toEqual([101, 101]);
  await app.app.serve(closed);
  await ends.closed;
  expect([goesOn.socket.closed, app.app.present().parts.live.size()]).toEqual([false, 1]);
  goesOn.socket.destroy();
});

test('whoever may not use it learns nothing of it', async () => {
  const { browser } = await visit(app, 'KEN144');
  const refused = await browser.get(at('/efs/'));
  expect([refused.status, refused.body.includes('new server')]).toEqual([403, false]);
  expect((await app.browser().get(at('/efs/'), { follow: false })).status).toBe(302);
});

test('what belongs to no service stays, and an old login leads where it led', async () => {
  expect((await get('/css/hantsweb.css')).status).toBe(200);
  expect((await get('/education/hias/moodle/')).status).toBe(200);
  expect((await get('/hias-login')).header('location')).toBe(at('/education/hias.htm'));
});

/** The tile of a service on the page of somebody who may use it. */
async function tileOf(name: string): Promise<string> {
  const page = await (await app.signIn('JHOWEL12')).get(`${app.portal}/`);
  return plain(page.body.match(/<li class="portal-tile[^"]*">.*?<\/li>/gs)?.find(html => html.includes(name)) ?? '');
}

test('its tile says so and leads nowhere (P3)', async () => {
  const hias = await tileOf('Hampshire Inspectorate Advisory Service');
  expect(hias).toContain('>Unavailable: The reports of <July> are being put in<');
  expect(hias).toContain(`Opens again on ${sayInstant(until)}`);
  const efs = await tileOf('Education Financial Services');
  expect(efs).toMatch(/>Unavailable: It moves to a new server<[\s\S]*Contact: Education Financial Services/);
  expect(hias + efs).not.toContain('<a');
});

test('the command line says so', async () => {
  const catalogue = { ...app.catalogue, services: app.catalogue.services.map(one => ({ ...one, maintenance: { words: 'Works', until } })) };
  const linesAt = (now: number) => lookUp(catalogue, takeApart(at('/efs/')), now).lines.join('\n');
  expect(linesAt(until - 1)).toContain(`Closed for maintenance until ${sayInstant(until)} (503): Works`);
  expect(linesAt(until)).not.toContain('Closed');

  const folder = mkdtempSync(join(tmpdir(), 'portal-closed-'));
  const file = join(folder, 'services.yaml');
  const council = readFileSync(new URL('../../config/services.yaml', import.meta.url), 'utf8');
  writeFileSync(file, council.replace('  - id: efs\n', '  - id: efs\n    maintenance: { words: Works, until: 2031-03-11 07:00 }\n'));
  const said: string[] = [];
  const around = {
    env: { CATALOGUE: file, DATA_DIR: folder },
    print: (line: string) => void said.push(line),
    complain: said.push.bind(said),
  };
  await runCommand(['check'], { ...around, now: () => Date.UTC(2031, 2, 11, 6, 59) });
  expect(said.join('\n')).toContain('Closed for maintenance: efs.');
  said.length = 0;
  await runCommand(['check'], { ...around, now: () => Date.UTC(2031, 2, 11, 7) });
  expect(said.join('\n')).toMatch(/Catalogue: (?![\s\S]*Closed)/);
  rmSync(folder, { recursive: true });
});

test('it opens again by itself', async () => {
  const before = app.clock.now;
  app.clock.now = until;
  const { browser } = await visit(app, 'JHOWEL12');
  expect((await browser.get(at('/education/hias/'))).status).toBe(200);
  expect(await tileOf('Hampshire Inspectorate Advisory Service')).toContain('Available');
  app.clock.now = before;
});
