import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hashToken } from '#store/tokens.ts';
import { asAdministrator, innovations } from '#tests/admin-ui-steps.ts';
import { type Browser, startApp, type TestApp } from '#tests/app.ts';
import { ask } from '#tests/raw-http.ts';
import { cookiesOf, hostOf, visit } from '#tests/visits.ts';

let app: TestApp;
let james: Browser;
beforeAll(async () => {
  app = await startApp();
  james = await asAdministrator(app, 'JHOWEL12');
});
afterAll(() => app.close());

describe('an id in an address', () => {
  test('is that id', async () => {
    expect((await james.get(`${app.portal}${innovations}`)).status).toBe(200);
  });

  test.each([
    '1%2Fpeople #16',
    '1%2F..%2F2 #16',
    '1%2F #16',
    '1x #100',
    '1%00 #100',
    '01 #100',
    '+1 #100',
    '1e0 #100',
    '1.0 #100',
    '0x1 #100',
    '１ #100',
    '%31%20 #100',
  ])('%s is not', async row => {
    const [id] = row.split(' ');
    for (const rest of ['', '/people']) {
      const answer = await james.get(`${app.portal}/organisations/${id}${rest}`, { follow: false });
      expect([400, 404]).toContain(answer.status);
    }
  });
});

test('of many who ask at once on one host each is told to be themselves #78', async () => {
  const people = ['WENDY166', 'JHOWEL12', 'KEN144', 'OLLIE199'];
  const visits = await Promise.all(people.map(userId => visit(app, userId)));
  const turns = Array.from({ length: 40 }, (_, turn) => turn % people.length);
  const told = await Promise.all(
    turns.map(async turn => {
      const answer = await ask(app.port, {
        target: '/trailblazer/headers.json',
        host: hostOf(app, 'www3'),
        headers: [['Cookie', visits[turn]!.cookie]],
      });
      return [people[turn], answer.status, /"remote-user": ?"([^"]+)"/.exec(answer.body)?.[1] ?? 'nobody'];
    }),
  );
  const wendy = told.filter(([, , user]) => user === 'WENDY166');
  expect(wendy).toHaveLength(10);
  for (const [person, status, user] of told) expect([person, user]).toEqual([person, status === 200 ? person : 'nobody']);
});

test('no page shows a token #99', async () => {
  const { browser } = await visit(app, 'KEN144');
  const pages: string[] = [];
  const read = async (who: Browser, address: string) => pages.push((await who.get(address)).body);
  for (const path of ['/', '/organisation', '/help', '/sign-in?return=%2Fhelp', '/nothing']) await read(james, app.portal + path);
  for (const path of ['', '/people', '/people/1', '/people/new?account=no', '/people/2/remove'])
    await read(james, app.portal + innovations + path);
  for (const path of ['/efs/', '/nothing', '/%zz']) await read(browser, `http://${hostOf(app, 'www3')}${path}`);
  await read(app.browser(), `${app.portal}/sign-in`);
  const known = new Set((await app.store.db.selectFrom('session_tokens').select('token_hash').execute()).map(row => row.token_hash));
  expect(known.size).toBeGreaterThan(2);
  const words = pages.flatMap(page => page.match(/[A-Za-z0-9_-]{43,}/g) ?? []);
  expect(words.length).toBeGreaterThan(10);
  for (const word of words) {
    expect(known.has(word) || known.has(hashToken(word)), 'a session’s token, or its hash').toBe(false);
    expect(word).not.toMatch(/^eyJ/);
  }
  const sealed = [cookiesOf(james, 'portal'), cookiesOf(browser, 'www3')].flatMap(text =>
    text.split('; ').map(pair => pair.split('=')[1] ?? '?'),
  );
  for (const page of pages) for (const value of sealed) expect(page).not.toContain(value.slice(0, 30));
});
