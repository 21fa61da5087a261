import { createConnection, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startApp, type TestApp } from '#tests/app.ts';
import { freePort } from '#tests/free-port.ts';
import { startRawServer, startServer, withUpstreams } from '#tests/legacy-wire.ts';
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

test('whoever is in line when a server is found dead reads what those who come then read', async () => {
  const legacy = await startServer((request, response) => void (request.url?.endsWith('/never') || response.end('well')));
  const app = await startApp({
    env: { UPSTREAM_CONNECTIONS: '1' },
    change: deps => withUpstreams(deps, ({ service }) => (service === 'hias' ? legacy.origin : null)),
  });
  const { host, cookie } = await visit(app, 'JHOWEL12');
  const request = { host, headers: [['Cookie', cookie]] as [string, string][] };
  const { queue, failed } = app.app.present().parts.upstreams.of(legacy.origin);
  const held = createConnection(app.port, '127.0.0.1', () => held.write(requestBytes({ ...request, target: '/education/hias/never' })));
  await expect.poll(() => queue.sizes()).toEqual({ inside: 1, waiting: 0 });
  const inLine = ask(app.port, { ...request, target: '/education/hias/' });
  await expect.poll(() => queue.sizes()).toEqual({ inside: 1, waiting: 1 });
  const chat = upgrade(app.port, { ...request, target: '/education/hias/echo' });
  await expect.poll(() => queue.sizes()).toEqual({ inside: 1, waiting: 2 });
  // Whoever fails would need a connection too, and the only one is held: so the failures are told.
  for (let count = 0; count < 5; count++) failed();
  const newcomer = await ask(app.port, { ...request, target: '/education/hias/' });
  const page = await inLine;
  for (const { status, body } of [page, newcomer]) expect([status, plain(body)]).toEqual([502, expect.stringContaining('cannot reach')]);
  expect((await chat).answer.status).toBe(502);
  expectFriendly(app, page, 'hias.enquiries@hants.gov.uk');
  held.destroy();
  await app.close();
  legacy.server.closeAllConnections();
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

test('handshakes take their turn for a server’s connections, and open WebSockets keep none of them', async () => {
  const asked: Socket[] = [];
  const legacy = await startRawServer((_path, socket, head) => {
    if (/^upgrade:/im.test(head)) asked.push(socket);
    else socket.end('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell');
  });
  const app = await startApp({
    env: { UPSTREAM_CONNECTIONS: '1' },
    change: deps => withUpstreams(deps, ({ service }) => (service === 'hias' ? legacy.origin : null)),
  });
  const { host, cookie } = await visit(app, 'JHOWEL12');
  const request = { host, target: '/education/hias/chat', headers: [['Cookie', cookie]] as [string, string][] };
  const { queue } = app.app.present().parts.upstreams.of(legacy.origin);
  const inOrder: ReturnType<typeof upgrade>[] = [];
  for (let count = 0; count < 11; count += 1) {
    inOrder.push(upgrade(app.port, request));
    await expect.poll(() => queue.sizes()).toEqual({ inside: 1, waiting: count });
  }
  await expect.poll(() => asked.length).toBe(1);
  const busy = await upgrade(app.port, request);
  expect([busy.answer.status, await busy.closed]).toEqual([503, expect.stringContaining('This service is very busy')]);
  for (let count = 0; count < 10; count += 1) {
    await expect.poll(() => asked.length).toBe(count + 1);
    asked[count]!.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
    expect((await inOrder[count]!).answer.status).toBe(101);
  }
  await expect.poll(() => asked.length).toBe(11);
  asked[10]!.destroy();
  expect((await inOrder[10]!).answer.status).toBe(502);
  await expect.poll(() => queue.sizes()).toEqual({ inside: 0, waiting: 0 });
  expect((await ask(app.port, { ...request, target: '/education/hias/page' })).body).toBe('well');
  for (const handshake of inOrder) (await handshake).socket.destroy();
  await app.close();
  await legacy.close();
});
