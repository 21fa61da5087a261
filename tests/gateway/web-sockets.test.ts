import { createConnection } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { grant, revokeGrant } from '#store/rules.ts';
import { endSessions } from '#store/sessions.ts';
import { startApp, type TestApp } from '#tests/app.ts';
import { freePort } from '#tests/free-port.ts';
import { requestsOn, startServer, startWire, type Wire, withUpstreams } from '#tests/legacy-wire.ts';
import { ask, nextBytes, type RawRequest, requestBytes, sendRaw, textFrame, upgrade } from '#tests/raw-http.ts';
import { changeRights, hostOf, idsOf, visit } from '#tests/visits.ts';

let app: TestApp;
let wire: Wire;
let trouble: Awaited<ReturnType<typeof startServer>>;
let chat: WebSocketServer;
let host: string;
let cookie: string;

beforeAll(async () => {
  wire = await startWire();
  trouble = await startServer((request, response) => {
    if (request.url?.endsWith('/slam')) request.socket.destroy();
    else if (request.url?.includes('/events'))
      response.writeHead(200, { 'content-type': decodeURIComponent(request.url.split('?')[1] ?? '') }).write('data: one\n\n');
    else if (!request.url?.endsWith('/never')) response.end('well');
  });
  chat = new WebSocketServer({ noServer: true, perMessageDeflate: true, handleProtocols: () => 'chat' });
  chat.on('connection', client => client.on('message', (data, binary) => client.send(data, { binary })));
  trouble.server.on('upgrade', (request, socket, head) => {
    if (request.url?.endsWith('/chat')) chat.handleUpgrade(request, socket, head, client => chat.emit('connection', client, request));
    else if (request.url?.endsWith('/slam')) socket.destroy();
    else socket.end('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell');
  });
  const nobody = `http://127.0.0.1:${await freePort()}`;
  app = await startApp({
    env: { UPSTREAM_HEADERS_SECONDS: '1' },
    change: deps =>
      withUpstreams(wire.into(deps), ({ service }) => (service === 'hias' ? trouble.origin : service === 'efs' ? nobody : null)),
  });
  const who = await idsOf(app, 'JHOWEL12', 'SP3');
  await changeRights(app, who, (tx, change) => grant(tx, { ...change, service: 'trailblazer', endsAt: null }));
  ({ host, cookie } = await visit(app, 'JHOWEL12'));
});
afterAll(async () => {
  await app.close();
  await wire.close();
  await trouble.close();
});
beforeEach(() => wire.forget());

const send = (request: RawRequest) => ask(app.port, { host, ...request, headers: [['Cookie', cookie], ...(request.headers ?? [])] });

describe('a WebSocket', () => {
  const target = '/trailblazer/echo';
  const as = (headers: [string, string][] = [], who = cookie) => ({
    target,
    host,
    headers: [['Cookie', `${who}; Own=1`], ...headers] as [string, string][],
  });

  test('is echoed, with the person’s identity and without our cookie', async () => {
    const { answer, socket } = await upgrade(
      app.port,
      as([
        ['Remote-User', 'mallory'],
        ['Origin', `http://${host}`],
      ]),
    );
    expect(answer.status).toBe(101);
    socket.write(textFrame('hello'));
    expect((await nextBytes(socket)).subarray(2).toString()).toBe('hello');
    const [request] = requestsOn(wire.received());
    expect(request?.line).toBe(`GET ${target} HTTP/1.1`);
    expect(request?.headers).toEqual(
      expect.arrayContaining([
        ['remote-user', 'JHOWEL12'],
        ['cookie', 'Own=1'],
        ['host', host],
        ['x-forwarded-for', '127.0.0.1'],
        ['origin', `http://${host}`],
      ]),
    );
    expect(wire.received()).not.toContain('mallory');
    socket.destroy();
  });

  test('speaks what a real client speaks', async () => {
    const client = new WebSocket(`ws://127.0.0.1:${app.port}${target}`, { headers: { host, cookie, origin: `http://${host}` } });
    await new Promise(resolve => client.once('open', resolve));
    const large = 'x'.repeat(20_000);
    const heard = new Promise(resolve => client.once('message', data => resolve(String(data))));
    client.send(large);
    expect(await heard).toBe(large);
    client.close();
    await new Promise(resolve => client.once('close', resolve));
  });

  test.each([
    ['without a session', () => as([], 'portal=x'), 401],
    ['without the grant', async () => as([], (await visit(app, 'KEN144')).cookie), 403],
    ['from a foreign page #33', () => as([['Origin', 'https://evil.example']]), 403],
    ['from a neighbour', () => as([['Origin', `http://${hostOf(app, 'portal')}`]]), 403],
    ['from an opaque page', () => as([['Origin', 'null']]), 403],
    ['to an odd path #31', () => ({ ...as(), target: '/trailblazer/../efs/echo' }), 400],
    ['to a path with a hash #32', () => ({ ...as(), target: '/trailblazer/echo#x' }), 400],
    ['to an old login', () => ({ ...as(), target: '/trailblazer-login' }), 302],
    ['to no page', () => ({ ...as(), target: '/nothing' }), 404],
    ['to an unknown host', () => ({ ...as(), host: 'evil.example' }), 421],
    ['to the portal', () => ({ ...as(), host: hostOf(app, 'portal'), target: '/sign-in' }), 200],
    ['on the hand-off', () => ({ ...as(), target: '/.portal/session' }), 403],
  ] as [string, () => RawRequest | Promise<RawRequest>, number][])(
    '%s is refused before it is one, and reaches nothing',
    async (_how, request, status) => {
      const asked = await request();
      wire.forget();
      const { answer, socket, closed } = await upgrade(app.port, asked);
      expect(answer.status).toBe(status);
      await closed;
      expect(requestsOn(wire.received())).toEqual([]);
      socket.destroy();
    },
  );

  test.each([
    ['h2c', 'close, Upgrade, HTTP2-Settings'],
    ['websocket, h2c', 'close, Upgrade'],
    ['TLS/1.0', 'close, Upgrade'],
  ])('an offer of %s is not taken up, and never passed on #35', async (offer, connection) => {
    const answer = await send({
      target: '/trailblazer/headers.json',
      headers: [
        ['Upgrade', offer],
        ['Connection', connection],
        ['HTTP2-Settings', 'AAMAAABkAAQAAP__'],
      ],
    });
    expect(answer.status).toBe(200);
    const [request] = requestsOn(wire.received());
    const names = request?.headers.map(([name]) => name);
    expect(names).toContain('remote-user');
    for (const name of ['upgrade', 'http2-settings']) expect(names).not.toContain(name);
  });

  test('bytes sent with the handshake reach nobody if it is refused', async () => {
    const smuggled = requestBytes({ target: '/trailblazer/smuggled', host });
    const { closed } = await upgrade(app.port, { ...as([], 'portal=x'), body: smuggled });
    await closed;
    expect(wire.received()).not.toContain('smuggled');
  });

  test.each([
    [
      'the grant is taken',
      async (who: { person: number; organisation: number }) =>
        changeRights(app, who, (tx, change) => revokeGrant(tx, { ...change, service: 'trailblazer' })),
    ],
    [
      'the session is ended',
      async ({ person }: { person: number }) =>
        void (await app.store.change(tx => endSessions(tx, { person }, { reason: 'signed-out', now: app.clock.now }))),
    ],
  ])('is closed when %s', async (_what, end) => {
    const who = await idsOf(app, 'OLLIE199', 'SP3');
    await changeRights(app, who, (tx, change) => grant(tx, { ...change, service: 'trailblazer', endsAt: null }));
    const ollie = await visit(app, 'OLLIE199');
    const other = await upgrade(app.port, as());
    const events = sendRaw(app.port, requestBytes({ target: '/trailblazer/', host, headers: [['Cookie', ollie.cookie]] }));
    const { answer, socket, closed } = await upgrade(app.port, as([], ollie.cookie));
    expect([answer.status, (await events).status]).toEqual([101, 200]);
    await end(who);
    await closed;
    expect(other.socket.destroyed).toBe(false);
    other.socket.destroy();
    socket.destroy();
  });

  test('is closed when the grant ends by itself, and when the session has been idle', async () => {
    const who = await idsOf(app, 'OLLIE199', 'SP3');
    await changeRights(app, who, (tx, change) => grant(tx, { ...change, service: 'trailblazer', endsAt: app.clock.now + 60_000 }));
    const ending = await upgrade(app.port, as([], (await visit(app, 'OLLIE199')).cookie));
    expect(ending.answer.status).toBe(101);
    app.clock.now += 60_000;
    await ending.closed;
    const idle = await upgrade(app.port, as([], (await visit(app, 'JHOWEL12')).cookie));
    expect(idle.answer.status).toBe(101);
    app.clock.now += 60 * 60_000;
    await idle.closed;
    ({ cookie } = await visit(app, 'JHOWEL12'));
  });

  test.each(['text/event-stream', 'Text/Event-Stream;charset=UTF-8'])('a stream of events ends with the right as well: %s', async type => {
    const who = await idsOf(app, 'OLLIE199', 'SP3');
    await changeRights(app, who, (tx, change) => grant(tx, { ...change, service: 'hias', endsAt: null }));
    const { cookie: ollie } = await visit(app, 'OLLIE199');
    let begun = () => {};
    const first = new Promise<void>(resolve => {
      begun = resolve;
    });
    const target = `/education/hias/events?${encodeURIComponent(type)}`;
    const stream = sendRaw(app.port, requestBytes({ target, host, headers: [['Cookie', ollie]] }), text => {
      if (text.includes('data: one')) begun();
      return false;
    });
    await first;
    await changeRights(app, who, (tx, change) => revokeGrant(tx, { ...change, service: 'hias' }));
    expect((await stream).body).not.toContain('0\r\n\r\n');
  });

  test.each([
    ['another answer', '/education/hias/well', 200, 'well'],
    ['a broken connection', '/education/hias/slam', 502, 'This service is not working at the moment'],
    ['no server at all', '/efs/echo', 502, 'This service is not working at the moment'],
  ])('that meets %s is told so, and nothing of the server behind', async (_what, path, status, words) => {
    const { answer, closed } = await upgrade(app.port, { ...as(), target: path });
    const whole = await closed;
    expect(answer.status).toBe(status);
    expect(whole).toContain(words);
    expect(whole).not.toMatch(/127\.0\.0\.1(?!:\d+<)|ECONN/);
  });

  test('keeps the extensions and the subprotocol both ends agreed on, and every byte between them', async () => {
    const client = new WebSocket(`ws://127.0.0.1:${app.port}/education/hias/chat`, ['old', 'chat'], { headers: { host, cookie } });
    await new Promise((resolve, reject) => client.once('open', resolve).once('error', reject));
    expect([client.protocol, client.extensions]).toEqual(['chat', 'permessage-deflate']);
    const heard = new Promise(resolve => client.once('message', (data, binary) => resolve([String(data), binary])));
    client.send(Buffer.from('x'.repeat(100_000)));
    expect(await heard).toEqual(['x'.repeat(100_000), true]);
    client.terminate();
    await expect.poll(() => chat.clients.size).toBe(0);
  });

  test('asked for behind an answer still on its way, or reset while judged, harms nobody #32', async () => {
    const slow = requestBytes({
      target: '/education/hias/never',
      host,
      headers: [
        ['Cookie', cookie],
        ['Connection', 'keep-alive'],
      ],
    });
    const handshake: [string, string][] = [
      ['Connection', 'Upgrade'],
      ['Upgrade', 'websocket'],
      ['Sec-WebSocket-Version', '13'],
      ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
    ];
    for (const who of [cookie, 'portal=x']) {
      const ask = requestBytes({ target, host, headers: [['Cookie', who], ...handshake] });
      await sendRaw(app.port, Buffer.concat([slow, ask]));
      await sendRaw(app.port, Buffer.concat([ask, ask]), text => text.includes('HTTP/1.1'));
      for (let round = 0; round < 3; round++) {
        await new Promise<void>(resolve => {
          const socket = createConnection(app.port, '127.0.0.1', () => socket.write(ask, () => void socket.resetAndDestroy()));
          socket.once('close', () => resolve());
        });
      }
    }
    expect((await send({ target: '/trailblazer/' })).status).toBe(200);
  });
});
