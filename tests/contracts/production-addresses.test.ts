import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { councilCatalogue } from '#config/demo/catalogue.ts';
import { grant } from '#store/rules.ts';
import { emptyPlace, jane, type Place, portal, withStore, writePeople } from '#tests/command-line-steps.ts';

// The table of old addresses as the council printed it; the address it leads to; null where the page is served itself.
const printed: [string, string, string | null][] = [
  ['http://intranet.hants.gov.uk/ictinschools.htm', 'schools-intranet', null],
  ['http://intranet.hants.gov.uk/ictinschools/sims', 'schools-intranet', null],
  ['http://www3.hants.gov.uk/trailblazer-login', 'trailblazer', 'https://www3.hants.gov.uk/trailblazer/'],
  ['https://www3.hants.gov.uk/hcc/eps-login', 'mopp', 'https://www3.hants.gov.uk/hcc/eps/'],
  ['https://www3.hants.gov.uk/efs-portal-login', 'efs', 'https://www3.hants.gov.uk/efs/'],
  ['http://www3.hants.gov.uk/propertyintranet.htm', 'property', null],
  ['https://www3.hants.gov.uk/hias-login', 'hias', 'https://www3.hants.gov.uk/education/hias.htm'],
  ['http://www3.hants.gov.uk/education/hias.htm', 'hias', null],
  ['https://www.hants.gov.uk/educationandlearning/hampshireremusic', 'hms', null],
  ['https://www3.hants.gov.uk/governor-login', 'governors', 'https://www.hants.gov.uk/educationandlearning/governors'],
  ['https://www.hants.gov.uk/educationandlearning/governors', 'governors', null],
];
const otherScheme = (address: string) =>
  address.startsWith('https:') ? address.replace('https:', 'http:') : address.replace('http:', 'https:');

let place: Place;
beforeAll(async () => {
  place = emptyPlace();
  const ungranted = { ...jane, source_id: '3', user_id: 'KEN144', first_name: 'Ken', email: '' };
  await portal(place.env, ['import', writePeople(place.dir, [jane, ungranted]), '--apply']);
  for (const service of new Set(printed.map(([, id]) => id))) {
    await portal(place.env, ['subscribe', 'S1', service]);
    const rights = { organisation: 1, person: 1, service, endsAt: null, by: null, now: Date.now() };
    await withStore(place, store => store.change(tx => grant(tx, rights)));
  }
});
afterAll(() => rmSync(place.dir, { recursive: true, force: true }));

const explain = (url: string, person: string) => portal(place.env, ['explain', '--url', url, '--person', person]);

test('the production file has exactly the printed addresses, each with its target', () => {
  const written = councilCatalogue().services.flatMap(({ id, legacyLogins }) =>
    legacyLogins.map(({ address, target }) => [address, id, target]),
  );
  const sites = (address: string) => address.replace('http:', 'https:');
  expect(written.sort()).toEqual(printed.map(([address, id, target]) => [address, id, target ?? sites(address)]).sort());
});

describe.each(printed.flatMap(([address, id, target]) => [address, otherScheme(address)].map(url => ({ url, id, target }))))(
  '$url',
  ({ url, id, target }) => {
    const leadsTo = target === null ? 'Served by http://' : `An old login; it leads to ${target}\n`;

    test('is open to a person who was given its service', async () => {
      const { code, out } = await explain(url, 'jsmith12');
      expect(out).toContain(leadsTo);
      expect(out).toMatch(new RegExp(`^Service   ${id}: `, 'm'));
      expect(out).toMatch(/^Decision {2}allow \(granted\)$/m);
      expect(code).toBe(0);
    });

    test('is closed to a colleague who was not', async () => {
      const { code, out } = await explain(url, 'ken144');
      expect(out).toContain(leadsTo);
      expect(out).toMatch(new RegExp(`^Service   ${id}: `, 'm'));
      expect(out).toMatch(/^Decision {2}deny \(no-grant\)$/m);
      expect(code).toBe(3);
    });
  },
);

test.each([
  ['https://www3.hants.gov.uk/education/hias/moodle/course', 0, 'open to everybody'],
  ['https://www.hants.gov.uk/', 0, 'open to everybody'],
  ['https://www.hants.gov.uk/business/servicesportal/signin', 0, 'a bookmark that leads to https://portal.hants.gov.uk/sign-in'],
  ['https://portal.hants.gov.uk/organisations/1', 0, 'the portal itself'],
  ['https://www3.hants.gov.uk/EFS/Budget.htm', 3, 'Service   efs: '],
  ['https://www3.hants.gov.uk/css/site.css', 3, 'shared by the services of this host'],
  ['https://www3.hants.gov.uk/nothing-here', 3, 'nothing in the catalogue covers this path (404)'],
  ['https://www3.hants.gov.uk/education/hias/moodle/../../../efs', 3, 'a dot segment'],
  ['https://www3.hants.gov.uk\\efs', 3, 'not one of ours (421)'],
  ['https://www3.hants.gov.uk@elsewhere.example/efs', 3, 'not one of ours (421)'],
  ['https://WWW3.hants.gov.uk.:443/efs?x=1#y', 3, 'Service   efs: '],
])('%s is explained to a person without rights as the gateway would judge it', async (url, code, words) => {
  const explained = await explain(url, 'KEN144');
  expect(explained.out).toContain(words);
  expect([explained.code, explained.err]).toEqual([code, '']);
});

test('files that services share are open by the right to any of them, which is named', async () => {
  const { code, out } = await explain('https://www3.hants.gov.uk/css/site.css', 'JSMITH12');
  expect(code).toBe(0);
  expect(out).toMatch(/^Decision {2}allow \(shared-page\)$/m);
  expect(out).toMatch(/^Rule {6}g, u:1, r:[a-z-]+, o:1$/m);
});
