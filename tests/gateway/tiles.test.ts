import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Service } from '#config/catalogue.ts';
import { type Browser, startApp, type TestApp } from '#tests/app.ts';
import { plain } from '#tests/visits.ts';

const changed: Record<string, Partial<Service>> = { trailblazer: { opensOn: '2099-03-04' }, property: { whoMayGrant: 'council' } };
let app: TestApp;

beforeAll(async () => {
  app = await startApp({
    change: deps => {
      const services = deps.catalogue.services.map(service => ({ ...service, ...changed[service.id] }));
      return { ...deps, catalogue: { ...deps.catalogue, services } };
    },
  });
});
afterAll(() => app.close());

const tilesOf = async (browser: Browser) => plain((await browser.get(`${app.portal}/`)).body);
/** What is said of the services that the person cannot use, and their names. */
const othersOf = (page: string) =>
  [...page.matchAll(/<p[^>]*>([^<]*):<\/p>\s*<ul[^>]*>(.*?)<\/ul>/gs)].map(([, say, list]) => [
    say,
    [...(list ?? '').matchAll(/<li>(.*?)<\/li>/g)].map(item => item[1]),
  ]);

test('an administrator sees the tool, and is told to give themselves what they lack (P3, S12)', async () => {
  const page = await tilesOf(await app.signIn('JHOWEL12'));
  expect(page).toMatch(/Hello James.*Organisation: <strong>Innovations PLC - SP3.*Tools.*>Organisation Admin<.*Services/s);
  expect(othersOf(page).map(([say]) => say)).toEqual([
    'You can give yourself access in Organisation Admin',
    'Ask Property Services, property.services@hants.gov.uk',
  ]);
});

test('staff see what they were given, no tool, and by name who gives the rest (P4, S12, S34)', async () => {
  const page = await tilesOf(await app.signIn('JSMITH12'));
  expect(page).not.toContain('Tools');
  expect([...page.matchAll(/portal-tile__link"[^>]*>([^<]*)</g)].map(match => match[1])).toEqual([
    'Hampshire Music Service',
    'Schools Intranet',
  ]);
  expect(othersOf(page)).toEqual([
    ["Ask Helen Marsh or Siobhán O'Brien", ['Governor Services', 'Hampshire Inspectorate Advisory Service', 'Trailblazer']],
  ]);
});

test('a service that is given but not open yet says its day and leads nowhere (S13, S36)', async () => {
  const page = await tilesOf(await app.signIn('WENDY166'));
  const tile = page.match(/<li class="portal-tile[^"]*">.*?<\/li>/gs)?.find(html => html.includes('Trailblazer'));
  expect(tile).toContain('Opening on 4 March 2099');
  expect(tile).not.toContain('<a');
});

test('somebody who has nothing is told whom to ask, and somebody without an organisation why (P3)', async () => {
  expect(await tilesOf(await app.signIn('KEN144'))).toMatch(/You do not have access to any services yet.*<li>James Howell<\/li>/s);
  expect(await tilesOf(await app.signIn('OPSCMC'))).toContain('You do not belong to an organisation');
});
