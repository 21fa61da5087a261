import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Service } from '#config/catalogue.ts';
import { append } from '#store/activity.ts';
import { block, dismissAdministrator, grant, subscribe, unblock, unsubscribe } from '#store/rules.ts';
import { type Browser, startApp, type TestApp } from '#tests/app.ts';
import { startWire, type Wire } from '#tests/legacy-wire.ts';
import { changeRights, headingOf, hostOf, idsOf, plain, visit } from '#tests/visits.ts';

const changed: Record<string, Partial<Service>> = { governors: { opensOn: '2099-04-01' }, property: { whoMayGrant: 'council' } };
let app: TestApp;
let wire: Wire;
let stale: number | null = null;

beforeAll(async () => {
  wire = await startWire();
  app = await startApp({
    change: deps => {
      const catalogue = {
        ...deps.catalogue,
        services: deps.catalogue.services.map(service => ({ ...service, ...changed[service.id] })),
      };
      return wire.into({ ...deps, catalogue, feed: { ...deps.feed, staleFor: () => stale ?? deps.feed.staleFor() } });
    },
  });
});
afterAll(async () => {
  await app.close();
  await wire.close();
});
beforeEach(() => {
  stale = null;
  wire.forget();
});

const at = (path: string, name: 'www3' | 'www' = 'www3') => `http://${hostOf(app, name)}${path}`;
const referenceOf = (body: string) => /Reference: <strong>([0-9A-F-]{14})<\/strong>/.exec(body)?.[1] ?? 'none';

async function refusedPage(browser: Browser, address: string) {
  const page = await browser.get(address);
  expect(page.status).toBe(403);
  expect(page.headers['cache-control']).toBe('no-store');
  expect(page.headers['content-security-policy']).toMatch(/^default-src 'none';style-src http:\/\/portal\.hants\.localhost:\d+;/);
  expect([page.headers['x-content-type-options'], page.headers['referrer-policy']]).toEqual(['nosniff', 'same-origin']);
  expect(page.body).not.toContain('Hantsweb |');
  expect(app.log()).toContain(`"reqId":"${referenceOf(page.body)}","reason"`);
  expect(wire.received()).toBe('');
  return { heading: headingOf(page.body), text: plain(page.body) };
}

describe('the page of a refusal says why, and what to do', () => {
  test('not signed in: to the sign-in page and straight back (P15)', async () => {
    const browser = app.browser();
    const form = await browser.get(at('/trailblazer/news.htm?y=2019&x=%2F'));
    expect(headingOf(form.body)).toBe('Sign in to your Services Portal account');
    const page = await browser.submit(`${app.portal}/sign-in`, form, { user_id: 'WENDY166', password: 'heron-basket-166' });
    expect([page.status, page.url]).toEqual([200, at('/trailblazer/news.htm?y=2019&x=%2F')]);
  });

  test('no grant: the organisation’s administrators by name (P15)', async () => {
    const { browser } = await visit(app, 'JSMITH12');
    const { heading, text } = await refusedPage(browser, at('/trailblazer/'));
    expect(heading).toBe('You do not have access to Trailblazer for Outdoor Learning & Environmental Education');
    for (const words of ['Itchen Meadow Primary School', '<li>Helen Marsh</li>', "<li>Siobhán O'Brien</li>"]) expect(text).toContain(words);
    expect(text).not.toContain('James Howell');
  });

  test('no grant, and an administrator: they can give it to themselves', async () => {
    const { browser } = await visit(app, 'JHOWEL12');
    wire.forget();
    const { text } = await refusedPage(browser, at('/trailblazer/'));
    expect(text).toContain('You are signed in as <strong>James Howell</strong> for <strong>Innovations PLC - SP3</strong>');
    expect(text).toContain(`href="${app.portal}/organisations/1"`);
    expect(text).not.toContain('school office');
  });

  test('no grant, where only the council gives: the service’s contact, and nobody who could not help', async () => {
    const { browser } = await visit(app, 'WENDY166');
    const { heading, text } = await refusedPage(browser, at('/propertyintranet.htm'));
    expect(heading).toBe('You do not have access to Property Intranet');
    expect(text).toContain('property.services@hants.gov.uk');
    expect(text).not.toContain('James Howell');
  });

  test('no subscription: the service’s own contact, and nobody who could not help (P15, S57)', async () => {
    const { browser } = await visit(app, 'JSMITH12');
    const { heading, text } = await refusedPage(browser, at('/efs/'));
    expect(heading).toBe('Your organisation does not have Education Finance Services (EFS)');
    expect(text).toContain('education.finance@hants.gov.uk');
    expect(text).not.toContain('Helen Marsh');
  });

  test('another of your organisations has it: change to it and come back (P15)', async () => {
    const { browser } = await visit(app, 'OLLIE199');
    const { heading, text } = await refusedPage(browser, at('/trailblazer/news.htm?a=1'));
    expect(heading).toBe('Change organisation to open Trailblazer for Outdoor Learning & Environmental Education');
    expect(text).toContain('<li>Itchen Meadow Primary School</li>');
    const form = await browser.get(/href="([^"]*\/organisation\?[^"]*)"/.exec(text)?.[1] ?? '');
    const { organisation } = await idsOf(app, 'OLLIE199', '2746');
    const page = await browser.submit(`${app.portal}/organisation`, form, { organisation: String(organisation) });
    expect([page.status, page.url]).toEqual([200, at('/trailblazer/news.htm?a=1')]);
    expect(wire.received()).toContain('portal-organisation-code: 2746');
  });

  test('not open yet: the day it opens', async () => {
    const { browser } = await visit(app, 'EDSCLP2', 'www');
    const { heading, text } = await refusedPage(browser, at('/educationandlearning/governors', 'www'));
    expect(heading).toBe('Governor Services is not open yet');
    expect(text).toContain('1 April 2099');
    expect(text).toContain('governor.services@hants.gov.uk');
  });

  test('blocked by the council: nobody of the organisation can help', async () => {
    const who = await idsOf(app, 'WENDY166', 'SP3');
    const { browser } = await visit(app, 'WENDY166');
    expect((await browser.get(at('/trailblazer/'))).status).toBe(200);
    wire.forget();
    await changeRights(app, who, (tx, change) => block(tx, { ...change, service: 'trailblazer', reason: 'the council said so' }));
    const { heading, text } = await refusedPage(browser, at('/trailblazer/'));
    expect(heading).toBe('The council has stopped your access to Trailblazer for Outdoor Learning & Environmental Education');
    expect(text).not.toContain('the council said so');
    await changeRights(app, who, (tx, change) => unblock(tx, { ...change, service: 'trailblazer' }));
    expect((await browser.get(at('/trailblazer/'))).status).toBe(200);
  });

  test('no organisation at all', async () => {
    const { browser } = await visit(app, 'OPSCMC');
    expect((await refusedPage(browser, at('/efs/'))).heading).toBe('You cannot open Education Finance Services (EFS)');
  });

  test('no administrator left: the council’s address', async () => {
    const { browser } = await visit(app, 'MIKE122');
    const james = await idsOf(app, 'JHOWEL12', 'SP3');
    await changeRights(app, james, (tx, who) => dismissAdministrator(tx, who));
    expect((await refusedPage(browser, at('/efs/'))).text).toContain('accounts@hants.gov.uk');
  });
});

describe('a refusal', () => {
  test('comes with the next request after the change #77, and goes with it', async () => {
    const who = await idsOf(app, 'BEN155', 'SP3');
    const { browser } = await visit(app, 'BEN155');
    expect((await browser.get(at('/efs/'))).status).toBe(403);
    await changeRights(app, who, (tx, change) => grant(tx, { ...change, service: 'efs', endsAt: app.clock.now + 60_000 }));
    expect((await browser.get(at('/efs/'))).status).toBe(200);
    await changeRights(app, who, (tx, change) => unsubscribe(tx, { ...change, service: 'efs' }));
    expect((await browser.get(at('/efs/'))).status).toBe(403);
    await changeRights(app, who, (tx, change) => subscribe(tx, { ...change, service: 'efs', grantable: true }));
    expect((await browser.get(at('/efs/'))).status).toBe(200);
    app.clock.now += 60_000;
    expect((await browser.get(at('/efs/'))).status).toBe(403);
  });

  test('ends with the membership, and with the person', async () => {
    const who = await idsOf(app, 'EDSCLP2', 'SP3');
    await changeRights(app, who, (tx, change) => grant(tx, { ...change, service: 'hms', endsAt: null }));
    const { browser } = await visit(app, 'EDSCLP2', 'www');
    const address = at('/educationandlearning/hampshireremusic', 'www');
    expect((await browser.get(address)).status).toBe(200);
    await app.store.change(async tx => {
      await tx.updateTable('people').set({ active: 0 }).where('id', '=', who.person).execute();
      await append(tx, { at: app.clock.now, kind: 'person-deactivated', person: who.person });
    });
    expect((await browser.get(address, { follow: false })).status).toBe(302);
    expect(headingOf((await browser.get(address)).body)).toBe('Sign in to your Services Portal account');
  });

  test.each([
    [{ 'sec-fetch-mode': 'cors' }],
    [{ 'x-requested-with': 'XMLHttpRequest' }],
    [{ accept: 'application/json' }],
    [{ 'sec-fetch-mode': 'no-cors', accept: 'text/html' }],
  ])('is JSON for a program: %o', async headers => {
    const { browser } = await visit(app, 'MIKE122');
    const refused = await browser.get(at('/efs/'), { headers });
    expect(refused.status).toBe(403);
    expect(JSON.parse(refused.body)).toMatchObject({ error: 'access-refused', reference: expect.stringMatching(/^[0-9A-F-]{14}$/) });
    const stranger = await app.browser().get(at('/efs/'), { headers });
    expect(stranger.status).toBe(401);
    expect(JSON.parse(stranger.body)).toMatchObject({ error: 'sign-in-needed', signIn: `${app.portal}/sign-in` });
    expect(wire.received()).toBe('');
  });

  test('tells htmx where to go', async () => {
    const answer = await app.browser().get(at('/efs/'), { headers: { 'hx-request': 'true', 'sec-fetch-mode': 'cors' } });
    expect([answer.status, answer.headers['hx-redirect'], answer.body]).toEqual([401, `${app.portal}/sign-in`, '']);
  });

  test.each([
    { accept: '*/*' },
    { accept: 'text/html,application/json' },
    { 'sec-fetch-mode': 'navigate', accept: 'application/json, text/html' },
  ])('is a page for a person: %o', async headers => {
    const { browser } = await visit(app, 'MIKE122');
    expect((await browser.get(at('/efs/'), { headers })).headers['content-type']).toBe('text/html; charset=utf-8');
  });

  test.each(['POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH'])('meets %s like GET', async method => {
    const { browser } = await visit(app, 'MIKE122');
    expect((await browser.get(at('/efs/contact.htm'), { method, follow: false })).status).toBe(403);
    expect((await app.browser().get(at('/efs/contact.htm'), { method, follow: false })).status).toBe(method === 'GET' ? 302 : 303);
    expect(wire.received()).toBe('');
  });

  test('repeats nothing of the address as markup', async () => {
    const { browser } = await visit(app, 'OLLIE199');
    for (const path of [
      '/mopp-x/"><script>alert(1)</script>',
      '/efs/?"><script>alert(1)</script>',
      '/trailblazer/?"><script>alert(1)</script>',
    ]) {
      const page = await browser.get(at(path).replace('mopp-x', 'efs'));
      expect(page.body).not.toContain('<script>alert');
    }
  });
});

describe('styles and pictures that services share', () => {
  test('are for anyone with any service on the site, and nobody else', async () => {
    const css = at('/css/hantsweb.css');
    const wendy = await visit(app, 'WENDY166');
    const page = await wendy.browser.get(css);
    expect([page.status, page.headers['content-type']]).toEqual([200, 'text/css; charset=utf-8']);
    wire.forget();
    const { browser } = await visit(app, 'MIKE122');
    expect((await refusedPage(browser, css)).heading).toBe('You do not have access to this page');
    expect((await app.browser().get(css, { follow: false })).status).toBe(302);
    expect((await app.browser().get(css, { headers: { 'sec-fetch-mode': 'no-cors' } })).status).toBe(401);
    expect(wire.received()).toBe('');
  });

  test('a service on another site does not count', async () => {
    const who = await idsOf(app, 'MIKE122', 'SP3');
    await changeRights(app, who, (tx, change) => grant(tx, { ...change, service: 'schools-intranet', endsAt: null }));
    const { browser } = await visit(app, 'MIKE122');
    expect((await browser.get(at('/css/hantsweb.css'))).status).toBe(403);
  });
});

describe('when the rights are not known', () => {
  test('nobody is let in, however granted, until the log was read again', async () => {
    const { browser } = await visit(app, 'WENDY166');
    expect((await browser.get(at('/trailblazer/'))).status).toBe(200);
    wire.forget();
    stale = app.settings.maxStalenessSeconds * 1000 + 1;
    for (const path of ['/trailblazer/', '/css/hantsweb.css', '/trailblazer-login']) {
      const page = await browser.get(at(path), { follow: false });
      expect([page.status, page.headers['retry-after'], headingOf(page.body)]).toEqual([
        503,
        '5',
        'Sorry, we cannot check your access right now',
      ]);
    }
    expect(wire.received()).toBe('');
    expect((await browser.get(at('/education/hias/moodle/'))).status).toBe(200);
    for (const path of ['/', '/organisation', '/organisations/1', '/sign-in/site']) {
      const page = await browser.get(`${app.portal}${path}`, { follow: false });
      expect([path, page.status, page.headers['retry-after']]).toEqual([path, 503, '5']);
    }
    // Not even the page that says so may need what it cannot be given: its styles come all the same.
    const styles = /href="([^"]*\.css)"/.exec((await browser.get(at('/trailblazer/'))).body)?.[1] ?? '';
    expect((await browser.get(new URL(styles, app.portal).href)).status).toBe(200);
    expect((await app.browser().get(`${app.portal}/sign-in`)).status).toBe(200);
    stale = app.settings.maxStalenessSeconds * 1000;
    expect((await browser.get(at('/trailblazer/'))).status).toBe(200);
  });
});
