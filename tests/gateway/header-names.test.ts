import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { namesWith } from '#config/catalogue-headers.ts';
import { startApp, type TestApp } from '#tests/app.ts';
import { requestsOn, startWire, type Wire } from '#tests/legacy-wire.ts';
import { ask, upgrade } from '#tests/raw-http.ts';
import { visit } from '#tests/visits.ts';

/** A legacy application that wants to be told who is there in headers of its own. */
const renamed = namesWith({ 'remote-user': 'Staff-Number', 'remote-name': 'DisplayName', 'portal-identity': 'X-Signed-By-Council' });
const claims = ['Staff-Number', 'STAFF_NUMBER', 'staff.number', 'displayname', 'X_Signed_By_Council'];

let wire: Wire;
beforeAll(async () => {
  wire = await startWire();
});
afterAll(() => wire.close());
beforeEach(() => wire.forget());

describe.each(['dispatch', 'http-proxy'])('with the engine %s', engine => {
  let app: TestApp;
  let host: string;
  let cookie: string;
  beforeAll(async () => {
    app = await startApp({
      env: { ENGINE: engine },
      change: deps => {
        const { catalogue, ...rest } = wire.into(deps);
        const sites = catalogue.sites.map(site => ({
          ...site,
          // Of the two pages of the service, the one it began with keeps the usual names.
          pages: site.pages.map(page => (page.id.endsWith('/education/hias/*') ? { ...page, headers: renamed } : page)),
        }));
        return { ...rest, catalogue: { ...catalogue, sites } };
      },
    });
    ({ host, cookie } = await visit(app, 'JHOWEL12'));
  });
  afterAll(() => app.close());

  const evil = claims.map(name => [name, 'mallory'] as [string, string]);
  const headersOf = () => new Map(requestsOn(wire.received()).at(-1)!.headers);

  test('a page is told in its own names, with the same token, and never by the client', async () => {
    for (const target of ['/education/hias/', '/education/hias.htm']) {
      expect((await ask(app.port, { host, target, headers: [['Cookie', cookie], ...evil] })).status).toBe(200);
    }
    expect(wire.received()).not.toContain('mallory');
    const [own, usual] = requestsOn(wire.received()).map(({ headers }) => new Map(headers));
    expect([own!.get('staff-number'), own!.get('displayname'), own!.get('portal-service')]).toEqual(['JHOWEL12', 'James Howell', 'hias']);
    expect(own!.has('remote-user') || own!.has('portal-identity')).toBe(false);
    expect([usual!.get('remote-user'), usual!.has('staff-number')]).toEqual(['JHOWEL12', false]);
    expect(own!.get('x-signed-by-council')).toBe(usual!.get('portal-identity'));
  });

  test('an open page beside it, and a WebSocket, hear as little from the client', async () => {
    await ask(app.port, { host, target: '/education/hias/moodle/', headers: evil });
    expect([...headersOf().keys()].filter(name => /staff|display|signed|remote/.test(name))).toEqual([]);
    const { socket } = await upgrade(app.port, { host, target: '/education/hias/echo', headers: [['Cookie', cookie], ...evil] });
    socket.destroy();
    expect(headersOf().get('staff-number')).toBe('JHOWEL12');
    expect(wire.received()).not.toContain('mallory');
  });
});
