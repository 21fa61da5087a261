import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addIdentity } from '#store/identities.ts';
import { addMembership } from '#store/memberships.ts';
import { addPerson } from '#store/people.ts';
import { asAdministrator, innovations, school, textOf, titleOf } from '#tests/admin-ui-steps.ts';
import { type Answer, type Browser, startApp, type TestApp } from '#tests/app.ts';

let app: TestApp;
let james: Browser;
let helen: Browser;

beforeAll(async () => {
  app = await startApp();
  james = await asAdministrator(app, 'JHOWEL12');
  helen = await asAdministrator(app, 'HMARSH3', '07700 900103');
});
afterAll(() => app.close());

const people = (organisation = innovations, query = '') => `${app.portal}${organisation}/people${query}`;
const search = (words: string) => helen.get(people(school, `?q=${encodeURIComponent(words)}`));
const rowsOf = (page: Answer) =>
  page.body
    .split('<tr')
    .slice(2)
    .map(row => row.replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' '));
const status = (page: Answer) => />([^<]*)</.exec(/<p id="people-status"[^>]*>[^<]*</.exec(page.body)?.[0] ?? '')?.[1];
const named = async (words: string) =>
  rowsOf(await search(words)).map(
    row =>
      row
        .replace(/^[^>]*>/, '')
        .trim()
        .split(' ')[0],
  );

describe('the hub', () => {
  test('has exactly two tiles, and a note while there is one administrator (S19)', async () => {
    const page = await james.get(app.portal + innovations);
    expect(titleOf(page)).toBe('Organisation administration hub – Services Portal');
    expect([...page.body.matchAll(/portal-tile__link" href="[^"]*">([^<]*)/g)].map(match => match[1])).toEqual([
      'Register new user',
      'Manage users',
    ]);
    expect(textOf(page)).toContain('Add a second administrator');
    expect(textOf(await helen.get(app.portal + school))).not.toContain('Add a second administrator');
  });
});

describe('Manage users', () => {
  test('has the heading, the sentences and the columns of the guide (S20–S24)', async () => {
    const page = await james.get(people());
    const text = textOf(page);
    expect(text).toContain('Manage users Manage the users in your organisation');
    expect(text).toContain('headteacher’s responsibility to decide who should have access');
    const columns = [...page.body.matchAll(/<th scope="col"[^>]*>([^<]*)/g)].map(match => match[1]);
    expect(columns).toEqual(['Name', 'Email', 'Phone', 'Access', 'OTP', 'Delete user']);
    const rows = rowsOf(page);
    expect(rows).toHaveLength(10);
    // Under the name stands the user ID, unless it is the e-mail address that stands beside it.
    expect(rows.find(row => row.includes('KEN144'))).toMatch(/Ken .*User ID KEN144/);
    expect(rows.filter(row => !row.includes('User ID')).map(row => /Carl|Paul/.exec(row)?.[0])).toEqual(['Carl', 'Paul']);
    expect(status(page)).toBe('10 people');
    const withPhone = rows.filter(row => row.includes('Delete OTP number'));
    expect(withPhone.map(row => /James Howell|Wendy/.exec(row)?.[0])).toEqual(['James Howell', 'Wendy']);
    expect(rows.filter(row => !row.includes('Delete user')).map(row => /James Howell/.test(row))).toEqual([true]);
    expect(text).not.toContain('0000000000');
    expect(text).toContain('01962 144');
    expect(text).not.toContain('Zoë');
  });

  test('names every link of the table differently, with a caption and scopes (A13, A14)', async () => {
    await app.store.change(async tx => {
      for (const userId of ['KASH1', 'KASH2']) {
        const person = await addPerson(tx, { firstName: 'Ken', lastName: 'Ash', now: app.clock.now });
        await addIdentity(tx, { person, kind: 'education', subject: userId, now: app.clock.now });
        await addMembership(tx, { organisation: 2, person, now: app.clock.now });
      }
    });
    const { body } = await helen.get(people(school));
    expect(body).toContain('<caption');
    const table = /<table[\s\S]*<\/table>/.exec(body)?.[0] ?? '';
    const links = [...table.matchAll(/<a [^>]*>([\s\S]*?)<\/a>/g)].map(match => match[1]?.replace(/<[^>]*>/g, ''));
    expect(new Set(links).size).toBe(links.length);
    expect(links).toContain('Ken Ash (KASH2)');
  });

  test.each([
    ["o'brien", 'Siobhán'],
    ['O’Brien', 'Siobhán'],
    ['obrien', 'Siobhán'],
    ['SIOBHAN', 'Siobhán'],
    ['zoe bronte', 'Zoë'],
    ['Brontë Zoë', 'Zoë'],
    ['de la cruz', 'Ana'],
    ['حداد', 'ليلى'],
    ['featherstonehaugh-chol', 'Wilhelmina'],
    ['jsmith12', 'Jane'],
    ['h.marsh@ITCHENmeadow', 'Helen'],
    ['madhavan', 'Madhavan'],
  ])('finds by %s (A24)', async (words, first) => {
    expect(await named(words)).toEqual([first]);
  });

  test.each(['%', '_', '\\', "' or 1=1 --", '"><script>alert(1)'])('takes %s for what it says', async words => {
    const page = await search(words);
    expect(page.status).toBe(200);
    expect(rowsOf(page)).toEqual([]);
    expect(page.body).not.toContain('<script>alert');
  });

  test('says when no one matches, and where people come from (S58–S62)', async () => {
    const page = await search('smith-jones');
    expect(status(page)).toBe('No one matches ‘smith-jones’');
    expect(textOf(page)).toMatch(/Staff will only show if they have been set up by your usual method.*SIMS AD provisioning.*EAMW/);
    expect(textOf(await james.get(people(innovations, '?q=nobody')))).toContain('Users created in EAMW are not set up for SIMS');
  });

  test('answers htmx with the rows, the count and the title alone; going back gets the page', async () => {
    const url = people(school, '?q=zoe');
    const partial = await helen.get(url, { headers: { 'hx-request': 'true', 'hx-request-type': 'partial', accept: '*/*' } });
    expect(partial.body).not.toContain('<html');
    expect(partial.body).toContain('<p id="people-status" hx-swap-oob="innerHTML">1 person matching ‘zoe’</p>');
    expect(rowsOf(partial)).toHaveLength(1);
    expect(String(partial.headers.vary)).toContain('HX-Request');
    const back = await helen.get(url, { headers: { 'hx-request-type': 'full', accept: '*/*' } });
    expect(back.body).toContain('<html');
    expect(back.body).toMatch(/<p id="people-status"[^>]*role="status">/);
  });

  test('shows 25 on a page, with the page in the title, and counts from the same question', async () => {
    await app.store.change(async tx => {
      for (let number = 0; number < 52; number++) {
        const person = await addPerson(tx, { firstName: 'Many', lastName: `Smith ${String(number).padStart(2, '0')}`, now: app.clock.now });
        await addMembership(tx, { organisation: 2, person, now: app.clock.now });
      }
    });
    const second = await helen.get(people(school, '?q=many+smith&page=2'));
    expect(titleOf(second)).toBe('Manage users (page 2 of 3) – Services Portal');
    expect(status(second)).toBe('26 to 50 of 52 people matching ‘many smith’');
    expect(second.body).toContain('q=many+smith&amp;page=3');
    expect(rowsOf(await helen.get(people(school, '?q=many+smith&page=3')))).toHaveLength(2);
    for (const page of ['99', '0', '-1', 'x', '1e9'])
      expect((await helen.get(people(school, `?q=many+smith&page=${page}`))).status).toBe(200);
    expect(rowsOf(await helen.get(people(school, '?q=many+smith&page=99')))).toHaveLength(2);
  });

  test('a repeated or endless search is read as one', async () => {
    expect(status(await helen.get(people(school, '?q=zoe&q=jane')))).toContain('zoe');
    expect((await search('a'.repeat(3000))).status).toBe(200);
  });
});
