import { type IncomingMessage, METHODS, type ServerResponse } from 'node:http';
import { createConnection } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { grant } from '#store/rules.ts';
import { startApp, type TestApp } from '#tests/app.ts';
import { freePort } from '#tests/free-port.ts';
import { requestsOn, startServer, startWire, type Wire, withUpstreams } from '#tests/legacy-wire.ts';
import { ask, nextBytes, type RawRequest, requestBytes } from '#tests/raw-http.ts';
import { changeRights, cookiesOf, headingOf, idsOf, plain, visit } from '#tests/visits.ts';

// Node itself knows no page that is asked for by CONNECT, and the gateway refuses TRACE.
const methods = METHODS.filter(method => method !== 'CONNECT' && method !== 'TRACE');
/** Fastify itself refuses one without a type, and a GET or HEAD with a body loses it. */
const refusedByPlugin = new Set(['QUERY', 'GET', 'HEAD']);

let app: TestApp;
let wire: Wire;
let trouble: Awaited<ReturnType<typeof startServer>>;
let host: string;
let cookie: string;
let requestsInTrouble: string[];

/** A legacy server that does what is asked of it by the last part of the path. */
function misbehave(request: IncomingMessage, response: ServerResponse): void {
  const what = request.url?.split('/').at(-1)?.split('?', 1)[0] ?? '';
  requestsInTrouble.push(`${request.method} ${what}`);
  const doings: Record<string, () => void> = {
    never: () => {},
    slam: () => request.socket.destroy(),
    'cut-length': () => void response.writeHead(200, { 'content-length': '1000' }).write('half', () => request.socket.destroy()),
    'cut-chunks': () => void response.writeHead(200).write('half', () => request.socket.resetAndDestroy()),
    unavailable: () => response.writeHead(503, { 'retry-after': '1' }).end('closed'),
    cookies: () =>
      response
        .writeHead(200, { 'set-cookie': ['portal=evil; Path=/', '=portal=evil', 'portal-form=evil', 'Own=1; Path=/', 'Raw=%0d%0a"x"'] })
        .end(),
    hops: () =>
      response.writeHead(200, { connection: 'X-Internal, close', 'x-internal': 'secret', 'keep-alive': 'timeout=7', 'x-kept': '1' }).end(),
    garbage: () => request.socket.end('This is no HTTP\r\n\r\n'),
    switch: () => request.socket.end('HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\nsecret'),
    events: () => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: one\n\n');
    },
    repeat: async () => {
      const body = (await request.toArray()).join('');
      response.writeHead(200, { 'x-body': JSON.stringify(body) }).end();
    },
    'cut-open': () => {
      response.useChunkedEncodingByDefault = false;
      response.writeHead(200, { connection: 'close' }).write('half', () => setTimeout(() => request.socket.resetAndDestroy(), 50));
    },
    early: () => response.writeHead(413, { connection: 'close' }).end('too much'),
  };
  (doings[what] ?? (() => response.end('well')))();
}

beforeAll(async () => {
  wire = await startWire();
  trouble = await startServer(misbehave);
});
afterAll(async () => {
  await wire.close();
  await trouble.close();
});
beforeEach(() => {
  requestsInTrouble = [];
  wire.forget();
});

describe.each(['dispatch', 'http-proxy'])('with the engine %s', engine => {
  beforeAll(async () => {
    const nobody = `http://127.0.0.1:${await freePort()}`;
    app = await startApp({
      env: { UPSTREAM_HEADERS_SECONDS: '1', ENGINE: engine },
      change: deps =>
        withUpstreams(wire.into(deps), ({ service }) => (service === 'hias' ? trouble.origin : service === 'efs' ? nobody : null)),
    });
    const who = await idsOf(app, 'JHOWEL12', 'SP3');
    await changeRights(app, who, (tx, change) => grant(tx, { ...change, service: 'trailblazer', endsAt: null }));
    ({ host, cookie } = await visit(app, 'JHOWEL12'));
  });
  afterAll(() => app.close());

  const send = (request: RawRequest) => ask(app.port, { host, ...request, headers: [['Cookie', cookie], ...(request.headers ?? [])] });
  const form = (type: string, body: Buffer | string): RawRequest => ({
    method: 'POST',
    target: '/trailblazer/contact.htm',
    headers: [
      ['Content-Type', type],
      ['Content-Length', String(Buffer.byteLength(body))],
    ],
    body,
  });

  describe('what the legacy page is told', () => {
    test('is who is signed in, whatever the client says, and where from #46', async () => {
      const claims = [
        'Remote-User',
        'remote_user',
        'REMOTE.USER',
        'X-Forwarded-User',
        'X-Remote-User',
        'Portal-Service',
        'X-Original-URL',
        'Forwarded',
        'X-Real-IP',
        'Proxy',
      ];
      const headers = [...claims, ...claims].map(name => [name, 'mallory'] as [string, string]);
      const listed: [string, string] = ['Connection', 'close, Remote-User, Remote-Name, Portal-Service, X-Forwarded-For'];
      const answer = await send({
        target: '/trailblazer/headers.json',
        headers: [...headers, listed, ['X-Forwarded-For', '10.1.2.3'], ['X-Forwarded-Host', 'evil.example']],
      });
      expect(answer.status).toBe(200);
      const told = JSON.parse(answer.body.replace(/^[0-9a-f]+\r\n|\r\n0\r\n\r\n$/g, '')) as Record<string, string>;
      expect(told).toMatchObject({
        host,
        'remote-user': 'JHOWEL12',
        'remote-name': 'James Howell',
        'remote-email': 'james.howell@innovations.example',
        'remote-groups': 'SP3',
        'portal-service': 'trailblazer',
        'portal-organisation': 'Innovations PLC - SP3',
        'x-forwarded-for': '127.0.0.1',
        'x-forwarded-proto': 'http',
        'x-forwarded-host': host,
      });
      expect(wire.received()).not.toMatch(/mallory|evil\.example|10\.1\.2\.3/);
      const [{ headers: arrived } = { headers: [] }] = requestsOn(wire.received());
      expect(arrived.map(([name]) => name).sort()).toEqual([...new Set(arrived.map(([name]) => name))].sort());
    });

    test('holds its own cookies and none of ours', async () => {
      const { browser } = await visit(app, 'JHOWEL12');
      for (const visits of ['1', '2', '3']) {
        const page = await browser.get(`http://${host}/trailblazer/`);
        expect(page.body).toContain(`<b id="visits">${visits}</b>`);
      }
      expect(cookiesOf(browser, 'www3')).toContain('HantswebVisits=3');
      expect(wire.received()).toContain('cookie: HantswebVisits=2');
      expect(wire.received()).not.toMatch(/portal(?:-handoff)?=/);
    });

    test('is told to its own server, whatever was asked of another before #29', async () => {
      for (const round of [1, 2, 3]) {
        requestsInTrouble = [];
        wire.forget();
        expect((await send({ target: `/trailblazer/headers.json?${round}` })).status).toBe(200);
        expect((await send({ target: '/education/hias/headers.json?1' })).status).toBe(200);
        expect((await send({ target: '/efs/headers.json?1' })).status).toBe(502);
        expect(requestsOn(wire.received()).map(({ line }) => line)).toEqual([`GET /trailblazer/headers.json?${round} HTTP/1.1`]);
        expect(requestsInTrouble).toEqual(['GET headers.json']);
      }
    });

    test('is the very bytes that were judged #24', async () => {
      const targets = [
        '/trailblazer/a%20b/%C3%A9(1).htm?q=%2F..%2f&x=[1]|{2}"\'%27&z=%e9&y=a\\b',
        '/TrailBlazer/%7eold/?',
        '/trailblazer/?a?b//../c',
        '/trailblazer/x%25y',
        // The plugin reads escapes as UTF-8 only.
        ...(engine === 'dispatch' ? ['/trailblazer/caf%E9.html?caf%E9'] : []),
        `/trailblazer/${'long'.repeat(300)}`,
      ];
      for (const target of targets) {
        wire.forget();
        await send({ target });
        expect(requestsOn(wire.received())[0]?.line).toBe(`GET ${target} HTTP/1.1`);
      }
    });
  });

  describe('what passes', () => {
    test.each([
      ['urlencoded', 'application/x-www-form-urlencoded', 'subject=a+b&subject=%C3%A9&message=%0D%0A&_csrf=theirs'],
      ['in ISO-8859-1', 'application/x-www-form-urlencoded; charset=ISO-8859-1', Buffer.from('message=caf\xe9&\xa3=\xff\x00', 'latin1')],
      [
        'multipart',
        'multipart/form-data; boundary="a b"',
        Buffer.from('--a b\r\nContent-Disposition: form-data; name="f"; filename="\xe9.doc"\r\n\r\n\x00\x01\xff\r\n--a b--\r\n', 'latin1'),
      ],
      ['JSON, even broken', 'application/json', '{"__proto__": 1, "a": }'],
      ['of an unheard-of type', 'application/x-old; version=2', '\x00\x01'],
      ['empty', 'application/x-www-form-urlencoded', ''],
    ])('a form %s, byte by byte #94', async (_kind, type, body) => {
      const answer = await send(form(type, body));
      expect(answer.status).toBe(200);
      const [head, ...rest] = wire.received().split('\r\n\r\n');
      expect(rest.join('\r\n\r\n')).toBe(Buffer.from(body).toString('latin1'));
      expect(head).toContain(`content-type: ${type}`);
    });

    test.each(methods.filter(method => engine === 'dispatch' || !refusedByPlugin.has(method)))(
      'the method %s, with its body and without a type for it',
      async method => {
        for (const body of ['<body/>', '']) {
          requestsInTrouble = [];
          const headers: [string, string][] = body ? [['Content-Length', String(body.length)]] : [];
          const answer = await send({ method, target: '/education/hias/repeat', headers, body });
          expect([answer.status, requestsInTrouble]).toEqual([200, [`${method} repeat`]]);
          expect(answer.header('x-body')).toBe(JSON.stringify(body));
        }
      },
    );

    test('a form in chunks, a form without a type, a large one, and one announced by Expect', async () => {
      const chunks = await send({
        method: 'POST',
        target: '/trailblazer/contact.htm',
        headers: [['Transfer-Encoding', 'chunked']],
        body: '5\r\nhello\r\n0\r\n\r\n',
      });
      expect(chunks.status).toBe(200);
      expect(wire.received()).toContain('hello');
      const untyped = await send({ method: 'POST', target: '/trailblazer/contact.htm', headers: [['Content-Length', '3']], body: 'a=b' });
      expect(untyped.status).toBe(200);
      const large = Buffer.alloc(3_000_000, 'x');
      const upload: RawRequest = { ...form('application/octet-stream', large), target: '/education/hias/upload' };
      expect((await send(upload)).status).toBe(200);
      const expecting = form('text/plain', 'hello');
      const answer = await send({ ...expecting, headers: [...expecting.headers!, ['Expect', '100-continue']] });
      expect([answer.status, answer.text.startsWith('HTTP/1.1 100 Continue')]).toEqual([200, true]);
    });

    test('a body that waits to be asked for (Expect) is asked for only once its sender may send it', async () => {
      const expecting = (path: string, who: string) => ({
        method: 'POST',
        target: path,
        host,
        headers: [
          ['Cookie', who],
          ['Content-Length', '5'],
          ['Expect', '100-continue'],
        ] as [string, string][],
      });
      const denied = await ask(app.port, expecting('/trailblazer/contact.htm', (await visit(app, 'KEN144')).cookie));
      const stranger = await ask(app.port, expecting('/trailblazer/contact.htm', 'portal=x'));
      for (const answer of [denied, stranger]) {
        expect(answer.text).not.toContain('100 Continue');
        expect(answer.header('connection')).toBe('close');
      }
      expect([denied.status, stranger.status]).toEqual([403, 303]);
      const socket = createConnection(app.port, '127.0.0.1');
      socket.write(requestBytes(expecting('/trailblazer/contact.htm', cookie)));
      expect((await nextBytes(socket)).toString()).toBe('HTTP/1.1 100 Continue\r\n\r\n');
      socket.write('hello');
      expect((await nextBytes(socket)).toString()).toMatch(/^HTTP\/1\.1 200 /);
      socket.destroy();
      expect(wire.received()).toContain('hello');
    });

    test('redirects: relative, absolute, and to the server’s own name', async () => {
      for (const path of ['/trailblazer/old-news.htm', '/TRAILBLAZER/old-news.htm']) {
        const answer = await send({ target: path });
        expect([answer.status, answer.header('location')]).toEqual([302, `http://${host}/trailblazer/news.htm`]);
      }
    });

    test('downloads, HEAD, ranges asked for, and its own not-found page', async () => {
      const file = await send({ target: '/trailblazer/contacts.csv' });
      expect([file.status, file.header('content-disposition')]).toEqual([200, 'attachment; filename="trailblazer-contacts.csv"']);
      const head = await send({ method: 'HEAD', target: '/trailblazer/contacts.csv' });
      expect([head.status, head.header('content-length'), head.body]).toEqual([200, file.header('content-length'), '']);
      await send({
        target: '/trailblazer/contacts.csv',
        headers: [
          ['Range', 'bytes=0-3'],
          ['If-None-Match', '"x"'],
        ],
      });
      expect(wire.received()).toMatch(/range: bytes=0-3/);
      const missing = await send({ target: '/trailblazer/missing.htm' });
      expect([missing.status, headingOf(missing.body)]).toEqual([404, 'Page cannot be found']);
      expect(missing.body).toContain('Hantsweb');
    });

    test('nothing that a shared cache might keep, nor a browser show after the right has gone', async () => {
      expect((await send({ target: '/trailblazer/' })).header('cache-control')).toBe('private, no-store');
      expect((await send({ target: '/css/hantsweb.css' })).header('cache-control')).toBe('private, max-age=60');
      expect((await send({ target: '/education/hias/x' })).header('cache-control')).toBe('private, no-cache');
    });

    test('its cookies, but none in our name; no header that is for the next hop only', async () => {
      const { headers } = await send({ target: '/education/hias/cookies' });
      expect(headers.filter(([name]) => name === 'set-cookie').map(([, value]) => value)).toEqual(['Own=1; Path=/', 'Raw=%0d%0a"x"']);
      const hops = await send({ target: '/education/hias/hops' });
      expect([hops.status, hops.header('x-kept'), hops.header('x-internal'), hops.header('keep-alive')]).toEqual([
        200,
        '1',
        undefined,
        undefined,
      ]);
    });
  });

  describe('when the legacy server does not do its part', () => {
    test.each([
      [
        'is not there',
        '/efs/',
        502,
        'This service is not working at the moment',
        'Education Finance Services (EFS)',
        'education.finance@hants.gov.uk',
      ],
      [
        'hangs up',
        '/education/hias/slam',
        502,
        'This service is not working at the moment',
        'Hampshire Inspectorate Advisory Service (HIAS)',
        'hias.enquiries@hants.gov.uk',
      ],
      [
        'does not answer',
        '/education/hias/never',
        504,
        'This service is taking too long to answer',
        'Hampshire Inspectorate Advisory Service (HIAS)',
        'hias.enquiries@hants.gov.uk',
      ],
      [
        'answers rubbish',
        '/education/hias/garbage',
        502,
        'This service is not working at the moment',
        'Hampshire Inspectorate Advisory Service (HIAS)',
        'hias.enquiries@hants.gov.uk',
      ],
      [
        'switches to something else',
        '/education/hias/switch',
        502,
        'This service is not working at the moment',
        'Hampshire Inspectorate Advisory Service (HIAS)',
        'hias.enquiries@hants.gov.uk',
      ],
    ])('%s: our page, with whom to ask and what to say [fault 12]', async (_what, target, status, heading, service, contact) => {
      const answer = await send({ target });
      expect([answer.status, headingOf(answer.body)]).toEqual([status, heading]);
      for (const words of [service, contact]) expect(plain(answer.body)).toContain(words);
      expect(answer.body).not.toMatch(/127\.0\.0\.1|ECONN|secret/);
      expect(app.log()).toContain(`"reqId":"${/Reference: <strong>([0-9A-F-]{14})/.exec(answer.body)?.[1]}","err"`);
      expect(answer.header('cache-control')).toBe('no-store');
    });

    test('half an answer is a broken connection, never a short whole one [fault 12]', async () => {
      const length = await send({ target: '/education/hias/cut-length' });
      expect([length.status, length.header('content-length'), length.body]).toEqual([200, '1000', 'half']);
      const chunks = await send({ target: '/education/hias/cut-chunks' });
      expect([chunks.status, chunks.header('transfer-encoding')]).toEqual([200, 'chunked']);
      expect(chunks.body).toBe('4\r\nhalf\r\n');
      // Whatever ends with its connection has no end that could be missed, except in the gateway's own words.
      const open = await send({ target: '/education/hias/cut-open' });
      expect([open.status, open.header('transfer-encoding'), open.body]).toEqual([200, 'chunked', '4\r\nhalf\r\n']);
    });

    test('nothing is asked for twice, whatever went wrong [fault 12]', async () => {
      for (const [method, what] of [
        ['GET', 'unavailable'],
        ['GET', 'slam'],
        ['POST', 'slam'],
        ['POST', 'cut-length'],
      ] as const) {
        requestsInTrouble = [];
        const answer = await send({
          method,
          target: `/education/hias/${what}`,
          headers: method === 'POST' ? [['Content-Length', '1']] : [],
          body: method === 'POST' ? 'x' : '',
        });
        expect(requestsInTrouble, what).toEqual([`${method} ${what}`]);
        if (what === 'unavailable') expect([answer.status, answer.body]).toEqual([503, '6\r\nclosed\r\n0\r\n\r\n']);
      }
    });

    test('an answer before the end of a form reaches the sender', async () => {
      const socket = createConnection(app.port, '127.0.0.1');
      const bytes = requestBytes({
        method: 'POST',
        target: '/education/hias/early',
        host,
        headers: [
          ['Cookie', cookie],
          ['Content-Length', '500000'],
        ],
        body: Buffer.alloc(1000),
      });
      socket.write(bytes);
      expect((await nextBytes(socket)).toString()).toMatch(/^HTTP\/1\.1 413 /);
      socket.destroy();
    });

    test('somebody who goes away meanwhile harms nobody', async () => {
      for (const target of ['/education/hias/never', '/education/hias/events']) {
        const socket = createConnection(app.port, '127.0.0.1', () =>
          socket.write(requestBytes({ target, host, headers: [['Cookie', cookie]] })),
        );
        await expect.poll(() => requestsInTrouble.length).toBeGreaterThan(0);
        socket.resetAndDestroy();
      }
      expect((await send({ target: '/trailblazer/' })).status).toBe(200);
    });
  });
});
