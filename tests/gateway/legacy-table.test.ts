import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { councilCatalogue, demoHost } from '#config/demo/catalogue.ts';
import { buildSites } from '#gateway/sites.ts';
import { grant } from '#store/rules.ts';
import { type Browser, startApp, type TestApp } from '#tests/app.ts';
import { requestsOn, startWire, type Wire } from '#tests/legacy-wire.ts';
import { ask } from '#tests/raw-http.ts';
import { changeRights, cookiesOf, headingOf, hostOf, idsOf, plain } from '#tests/visits.ts';

const catalogue = councilCatalogue();
const table = catalogue.services.flatMap(service => service.legacyLogins.map(login => ({ ...login, service })));

let app: TestApp;
let wire: Wire;
let granted: Browser;
let refused: Browser;

/** An address of the printed table as it is in the demo. */
const local = (address: string) => {
  const { hostname, pathname } = new URL(address);
  return `http://${demoHost(hostname)}:${app.port}${pathname}`;
};

beforeAll(async () => {
  wire = await startWire();
  app = await startApp({ change: deps => wire.into(deps) });
  await changeRights(app, await idsOf(app, 'WENDY166', 'SP3'), async (tx, who) => {
    for (const { id: service } of catalogue.services) await grant(tx, { ...who, service, endsAt: null });
  });
  granted = await app.signIn('WENDY166');
  refused = await app.signIn('MIKE122');
});
afterAll(async () => {
  await app.close();
  await wire.close();
});
beforeEach(() => wire.forget());

test('the table has nine rows, eleven addresses and three hosts', () => {
  expect(new Set(table.map(({ row }) => row)).size).toBe(9);
  expect(table.length).toBe(11);
  expect(new Set(table.map(({ address }) => new URL(address).hostname)).size).toBe(3);
});

describe.each(table)('$address', ({ address, target, service }) => {
  test('leads whoever has the service to its target, which names service and address', async () => {
    const page = await granted.get(local(address));
    expect(page.status).toBe(200);
    expect(page.url).toBe(local(target));
    for (const words of [service.fullName, address, new URL(local(target)).host + new URL(target).pathname, 'Wendy'])
      expect(plain(page.body)).toContain(words);
  });

  test('shows whoever has not whom to ask, and reaches nothing', async () => {
    const page = await refused.get(local(address));
    expect(page.status).toBe(403);
    expect(page.url).toBe(local(address));
    expect(headingOf(page.body)).toBe(`You do not have access to ${service.fullName}`);
    expect(page.body).toContain('<li>James Howell</li>');
    const reference = /Reference: <strong>([0-9A-F-]{14})<\/strong>/.exec(page.body)?.[1];
    expect(app.log()).toMatch(new RegExp(`"reqId":"${reference}","reason":"no-grant","service":"${service.id}"`));
    expect(wire.received()).toBe('');
  });

  test('asks a stranger to sign in, and takes them there afterwards', async () => {
    const stranger = app.browser();
    const form = await stranger.get(local(address));
    expect(headingOf(form.body)).toBe('Sign in to your Services Portal account');
    expect(wire.received()).toBe('');
    const page = await stranger.submit(`${app.portal}/sign-in`, form, { user_id: 'wendy166', password: 'heron-basket-166' });
    expect([page.status, page.url]).toEqual([200, local(target)]);
  });

  test('is the same page in the file of the real hosts', () => {
    const site = catalogue.sites.find(({ host }) => host === new URL(address).hostname)!;
    const found = buildSites(catalogue).find(site, new URL(address).pathname);
    const page = 'page' in found ? found.page : null;
    expect(page).toMatchObject({ kind: 'protected', service: service.id });
    expect(page?.target ?? site.origin + new URL(address).pathname).toBe(target);
  });
});

describe.each(table.filter(({ address }) => address.endsWith('-login')))('the old login form at $address', ({ address, target }) => {
  const form = { user: 'school-42', password: 'hunter2-of-the-school' };

  test('is never sent on with its password, signed in or not', async () => {
    const sent = await granted.submit(local(address), null, form, { follow: false });
    expect(sent.status).toBe(303);
    expect(sent.headers.location).toBe(local(target));
    expect((await granted.submit(local(address), null, form)).url).toBe(local(target));
    expect((await refused.submit(local(address), null, form, { follow: false })).status).toBe(403);
    expect((await app.browser().submit(local(address), null, form, { follow: false })).status).toBe(303);
    const requests = requestsOn(wire.received());
    expect(requests.map(({ line }) => line.split(' ', 1)[0])).toEqual(['GET']);
    expect(wire.received() + app.log()).not.toContain('hunter2');
  });
});

test('the guide’s bookmark on the main site leads to the sign-in page, in any case of letters', async () => {
  for (const path of ['/business/servicesportal/signin', '/Business/ServicesPortal/SignIn']) {
    const page = await app.browser().get(`http://${hostOf(app, 'www')}${path}`);
    expect(page.url).toBe(`${app.portal}/sign-in`);
  }
  expect(wire.received()).toBe('');
});

describe('what is not in the catalogue', () => {
  test.each(['/', '/x', '/efsx', '/education', '/education/hias.html', '/ictinschools', '/.portal', '/.portal/x', '/sign-in', '/assets/x'])(
    '%s on a site without an open rest is not found #98, and reaches nothing',
    async path => {
      const page = await granted.get(`http://${hostOf(app, 'www3')}${path}`, { follow: false });
      expect([page.status, headingOf(page.body)]).toEqual([404, 'Page not found']);
      expect(wire.received()).toBe('');
    },
  );

  test('an unknown host is told so, whatever it asks for, and reaches nothing', async () => {
    const cookie = cookiesOf(granted, 'www3');
    const hosts = [
      'evil.example',
      'hants.localhost',
      `x.www3.hants.localhost:${app.port}`,
      `www3.hants.localhost.evil.example`,
      '127.0.0.1',
      'localhost',
    ];
    for (const host of hosts) {
      for (const target of ['/', '/efs/', '/sign-in', '/.portal/session?code=x', '/css/hantsweb.css'])
        expect((await ask(app.port, { target, host, headers: [['Cookie', cookie]] })).status, `${host}${target}`).toBe(421);
    }
    expect(wire.received()).toBe('');
  });

  test('a Moodle is nobody’s business here: no sign-in, and nobody introduced', async () => {
    const address = `http://${hostOf(app, 'www3')}/education/hias/moodle/`;
    for (const browser of [app.browser(), granted, refused]) {
      wire.forget();
      const page = await browser.get(address, { headers: { 'remote-user': 'mallory', 'portal-service': 'hias' } });
      expect(page.status).toBe(200);
      expect(plain(page.body)).toContain('Signed in as <b>nobody</b>');
      expect(wire.received()).not.toMatch(/remote-|portal-|mallory|portal=/i);
    }
  });
});
