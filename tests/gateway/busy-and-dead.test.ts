import { createConnection, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startApp, type TestApp } from '#tests/app.ts';
import { freePort } from '#tests/free-port.ts';
import { startServer, withUpstreams } from '#tests/legacy-wire.ts';
import { ask, type RawAnswer, requestBytes, upgrade } from '#tests/raw-http.ts';
import { headingOf, plain, visit } from '#tests/visits.ts';

/** Which service, whom to ask, and a reference that the log knows. */
function expectFriendly(app: TestApp, page: RawAnswer, contact: string): void {
  expect(plain(page.body)).toContain(contact);
  const reference = /Reference: <strong>([0-9A-F-]{14})/.exec(page.body)?.[1];
  expect(app.log()).toContain(`"reqId":"${reference}","problem"`);
}

describe.each(['dispatch', 'http-proxy'])('with the engine %s', engine => {
  let app: TestApp;
  let host: string;
  let cookie: string;
  beforeAll(async () => {
    const nobody = `http://127.0.0.1:${await freePort()}`;
    app = await startApp({
      env: { ENGINE: engine },
      change: deps => withUpstreams(deps, ({ service }) => (service === 'efs' || service === 'hias' ? nobody : null)),
    });
    ({ host, cookie } = await visit(app, 'JHOWEL12'));
  }, 30_000);
  afterAll(() => app.close());

  test('after five failures, of pages or of WebSockets, nobody asks a dead server [fault 12]', async () => {
    const request = { host, headers: [['Cookie', cookie]] as [string, string][] };
    // The visit was the first.
    for (let count = 0; count < 2; count++) expect((await ask(app.port, { ...request, target: '/efs/' })).status).toBe(502);
    for (let count = 0; count < 2; count++) {
      const { answer, closed } = await upgrade(app.port, { ...request, target: '/efs/echo' });
      expect(answer.status).toBe(502);
      await closed;
    }
    expect(app.log()).not.toContain('not asked');
    const page = await ask(app.port, { ...request, target: '/education/hias/' });
    expect([page.status, headingOf(page.body)]).toEqual([502, 'This service is not working at the moment']);
    expectFriendly(app, page, 'hias.enquiries@hants.gov.uk');
    expect(app.log().split('not asked')).toHaveLength(2);
    const { closed } = await upgrade(app.port, { ...request, target: '/efs/echo' });
    expect(await closed).toContain('502 Bad Gateway');
    expect(app.log().split('not asked')).toHaveLength(3);
  });
});

test('whoever finds a server’s connections and its queue full reads which service is busy, and whom to ask', async () => {
  const legacy = await startServer((request, response) => void (request.url?.endsWith('/never') || response.end('well')));
  const app = await startApp({
    env: { UPSTREAM_CONNECTIONS: '1' },
    change: deps => withUpstreams(deps, ({ service }) => (service === 'hias' ? legacy.origin : null)),
  });
  const { host, cookie } = await visit(app, 'JHOWEL12');
  const headers: [string, string][] = [['Cookie', cookie]];
  const waiting: Socket[] = [];
  const full = () => ask(app.port, { host, target: '/education/hias/never', headers: [...headers, ['Connection', 'close']] });
  for (let count = 0; count < 11; count++) {
    waiting.push(
      createConnection(app.port, '127.0.0.1', () =>
        waiting[count]!.write(requestBytes({ host, target: '/education/hias/never', headers })),
      ),
    );
  }
  const page = await full();
  expect([page.status, headingOf(page.body)]).toEqual([503, 'This service is very busy']);
  expectFriendly(app, page, 'hias.enquiries@hants.gov.uk');
  for (const socket of waiting) socket.destroy();
  await app.close();
  await legacy.close();
});
