import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import type { UpstreamRules } from '#config/catalogue.ts';
import { createQueue } from '#gateway/forwarding/queue.ts';
import { requestHead } from '#gateway/forwarding/request-head.ts';
import { createUpstreamPool } from '#gateway/forwarding/upstream-pool.ts';
import { createUpstreams } from '#gateway/forwarding/upstreams.ts';
import { grant } from '#store/rules.ts';
import { startApp, type TestApp } from '#tests/app.ts';
import { withUpstreams } from '#tests/legacy-wire.ts';
import { ask, upgrade } from '#tests/raw-http.ts';
import { changeRights, headingOf, idsOf, visit } from '#tests/visits.ts';

const none: UpstreamRules = {
  ...{ ca: null, certificate: null, key: null, serverName: null, host: 'site' },
  ...{ connectSeconds: null, headersSeconds: null, bodySeconds: null, connections: null, health: null },
};

let folder: string;
let app: TestApp;
let cookie: string;
let host: string;
/** A legacy server that speaks TLS, under the name legacy.internal, and wants to see a certificate of the council's. */
let legacy: Server;
let connections = 0;
let told: { host: string | undefined; client: string | undefined }[] = [];

/** Keys and certificates as a council's own authority makes them: the file of one of them. */
const pem = (name: string) => readFileSync(join(folder, `${name}.pem`), 'utf8');
const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });

function makeCertificates(): void {
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  openssl('req', '-x509', ...newKey, '-keyout', 'ca-key.pem', '-out', 'ca.pem', '-subj', '/CN=County');
  const signed = ['-CA', 'ca.pem', '-CAkey', 'ca-key.pem'];
  const name = ['-addext', 'subjectAltName=DNS:legacy.internal'];
  openssl('req', '-x509', ...newKey, ...signed, '-keyout', 'server-key.pem', '-out', 'server.pem', '-subj', '/CN=legacy', ...name);
  const past = ['-keyout', 'past-key.pem', '-out', 'past.csr', '-subj', '/CN=past', '-addext', 'subjectAltName=DNS:past.internal'];
  openssl('req', ...newKey.slice(0, -2), ...past);
  openssl('x509', '-req', '-in', 'past.csr', ...signed, '-days', '-1', '-copy_extensions', 'copy', '-out', 'past.pem');
  openssl('req', '-x509', ...newKey, ...signed, '-keyout', 'gateway-key.pem', '-out', 'gateway.pem', '-subj', '/CN=gateway');
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  told.push({ host: request.headers.host, client: String((request.socket as TLSSocket).getPeerCertificate().subject?.CN) });
  response.end('well');
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portal-tls-'));
  makeCertificates();
  legacy = createServer(
    { key: pem('server-key'), cert: pem('server'), ca: pem('ca'), requestCert: true, rejectUnauthorized: true },
    answer,
  );
  legacy.addContext('past.internal', { key: pem('past-key'), cert: pem('past'), ca: pem('ca') });
  const chat = new WebSocketServer({ noServer: true });
  legacy.on('upgrade', (request, socket, head) => chat.handleUpgrade(request, socket, head, client => client.send('hello')));
  legacy.on('secureConnection', () => {
    connections += 1;
  });
  await new Promise<void>(resolve => legacy.listen(0, '0.0.0.0', resolve));
  const { port } = legacy.address() as AddressInfo;
  const right = { ...none, ca: pem('ca'), certificate: pem('gateway'), key: pem('gateway-key'), serverName: 'legacy.internal' };
  // One server under several origins, since the rules hang on the origin.
  const origin = (name: string) => `https://${name}:${port}`;
  const rules = new Map<string, UpstreamRules>([
    [origin('127.0.0.1'), right],
    [origin('localhost'), { ...right, host: 'upstream' }],
    [origin('127.0.0.2'), { ...right, serverName: 'other.internal' }],
    [origin('127.0.0.3'), { ...right, ca: null }],
    [origin('127.0.0.5'), { ...right, serverName: 'past.internal' }],
    [origin('127.0.0.4'), { ...right, certificate: null, key: null }],
  ]);
  const byService: Record<string, string> = {
    hias: '127.0.0.1',
    efs: 'localhost',
    trailblazer: '127.0.0.2',
    mopp: '127.0.0.3',
    property: '127.0.0.5',
  };
  app = await startApp({
    change: deps => {
      const moved = withUpstreams(deps, ({ service, host: site }) =>
        site.startsWith('intranet')
          ? origin('127.0.0.1')
          : service && byService[service]
            ? origin(byService[service])
            : origin('127.0.0.4'),
      );
      return { ...moved, catalogue: { ...moved.catalogue, upstreams: rules } };
    },
  });
  const who = await idsOf(app, 'JHOWEL12', 'SP3');
  for (const service of ['trailblazer', 'mopp', 'schools-intranet', 'property'])
    await changeRights(app, who, (tx, change) => grant(tx, { ...change, service, endsAt: null }));
  ({ host, cookie } = await visit(app, 'JHOWEL12'));
}, 30_000);
afterAll(async () => {
  await app.close();
  await new Promise(resolve => {
    legacy.close(resolve);
    legacy.closeAllConnections();
  });
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  told = [];
  connections = 0;
});

const get = (target: string) => ask(app.port, { host, target, headers: [['Cookie', cookie]] });

describe('a legacy server behind TLS', () => {
  test('is trusted by the authority the catalogue names, and sees the certificate it wants', async () => {
    const page = await get('/education/hias/');
    expect(page.status).toBe(200);
    expect(told).toEqual([{ host, client: 'gateway' }]);
  });

  test('is told its own name where the catalogue says so', async () => {
    expect((await get('/efs/')).status).toBe(200);
    expect(told.map(seen => seen.host)).toEqual([`localhost:${(legacy.address() as AddressInfo).port}`]);
  });

  test.each([
    ['carries another name', '/trailblazer/'],
    ['comes from an authority nobody named', '/hcc/eps/'],
    ['has expired', '/propertyintranet/'],
  ])('is not asked when its certificate %s [fault 20] #30', async (_why, path) => {
    const page = await get(path);
    expect([page.status, headingOf(page.body)]).toEqual([502, 'This service is not working at the moment']);
    expect(told).toEqual([]);
    if (path === '/propertyintranet/') expect(app.log()).toContain('certificate has expired');
  });

  test('that wants a certificate is not reached without one', async () => {
    expect((await get('/css/hantsweb.css')).status).toBe(502);
    expect(told).toEqual([]);
  });

  test('keeps its connection when two sites take turns', async () => {
    const { browser } = await visit(app, 'JHOWEL12', 'intranet');
    await get('/education/hias/');
    connections = 0;
    for (let turn = 0; turn < 5; turn++) {
      expect((await get('/education/hias/')).status).toBe(200);
      expect((await browser.get(`http://intranet.hants.localhost:${app.port}/ictinschools.htm`)).status).toBe(200);
    }
    expect(new Set(told.map(seen => seen.host)).size).toBe(2);
    expect(connections).toBe(0);
  });

  test('is reached the same way by a WebSocket', async () => {
    const { answer: handshake, socket } = await upgrade(app.port, { host, target: '/education/hias/chat', headers: [['Cookie', cookie]] });
    expect(handshake.status).toBe(101);
    socket.destroy();
    const refused = await upgrade(app.port, { host, target: '/trailblazer/chat', headers: [['Cookie', cookie]] });
    expect(refused.answer.status).toBe(502);
    refused.socket.destroy();
  });
});

test('what a server says behind its answer is not read by whoever waits for the connection', async () => {
  // The first record of TLS ends with the answer; the second comes in the same breath.
  const head = 'HTTP/1.1 200 OK\r\nContent-Length: ';
  const length = 16_384 - head.length - '16384\r\n\r\n'.length;
  const answer = `${head}${length}\r\n\r\n${'x'.repeat(length)}`;
  const evil = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil';
  const server = createTlsServer({ key: pem('server-key'), cert: pem('server') }, socket =>
    socket.on('error', () => {}).on('data', () => socket.write(answer + evil)),
  );
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const pool = createUpstreamPool({
    origin: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tls: { servername: 'legacy.internal', rejectUnauthorized: true, ca: pem('ca') },
    ...{ connections: 1, connectMs: 5_000, headersMs: 5_000, bodyMs: 5_000 },
  });
  const queue = createQueue(1, () => 0);
  const bodies = await Promise.all(
    [1, 2, 3].map(
      visitor =>
        new Promise<string>((resolve, reject) => {
          let body = '';
          const handler = {
            onSend: () => {},
            onInformation: () => {},
            onHead: () => {},
            onData: (bytes: Buffer, start: number, end: number) => {
              body += bytes.toString('latin1', start, end);
            },
            onEnd() {
              queue.leave(guest);
              resolve(body);
            },
            onError: reject,
          };
          const send = { method: 'GET', head: requestHead('GET', '/', ['host', 'a'], null), body: null };
          const begin = () => void pool.send(send, handler);
          const guest = { visitor, service: null, standing: 'away' as const, since: 0, begin, giveUp: reject };
          queue.enter(guest);
        }),
    ),
  );
  expect(bodies.map(body => body.replace(/x+/, 'x'))).toEqual(['x', 'x', 'x']);
  pool.close();
  await new Promise(resolve => server.close(resolve));
});

test('an address of IPv6 has brackets in a URL only', async () => {
  const upstreams = createUpstreams(new Map(), { connectSeconds: 1, headersSeconds: 1, bodySeconds: 1, connections: 1 });
  expect(upstreams.of('https://[::1]:1').direct).toMatchObject({ hostname: '::1', servername: '' });
  await upstreams.close();
});

describe('a legacy server that fails', () => {
  const limits = { connectSeconds: 1, headersSeconds: 1, bodySeconds: 1, connections: 2 };

  test('is left alone for five seconds after five failures in a row, and then tried by one', async () => {
    let now = 1_000_000;
    const upstreams = createUpstreams(new Map(), limits, { now: () => now });
    const dead = upstreams.of('http://127.0.0.1:1');
    for (let failure = 0; failure < 4; failure++) dead.failed();
    expect(dead.refusal()).toBeNull();
    dead.answered();
    for (let failure = 0; failure < 5; failure++) dead.failed();
    expect(dead.refusal()).toBe('upstream-unreachable');
    expect(upstreams.of('http://127.0.0.1:2').refusal()).toBeNull();
    now += 5_000;
    expect([dead.refusal(), dead.refusal()]).toEqual([null, 'upstream-unreachable']);
    now += 5_000;
    expect(dead.refusal()).toBeNull();
    dead.answered();
    expect([dead.refusal(), dead.refusal()]).toEqual([null, null]);
    await upstreams.close();
  });

  test('makes nobody wait for longer than an answer may take', async () => {
    let now = 1_000_000;
    const upstreams = createUpstreams(new Map(), limits, { now: () => now });
    const { queue } = upstreams.of('http://127.0.0.1:1');
    const givenUp: unknown[] = [];
    for (let place = 0; place < 12; place++) {
      const began = now;
      const guest = {
        visitor: place,
        service: null,
        since: 0,
        standing: 'away' as const,
        begin: () => {},
        giveUp: (why: string) => void givenUp.push(why === 'upstream-slow' ? began : why),
      };
      expect(queue.enter(guest)).toBe(true);
      now += 100;
    }
    now = 1_000_000 + 2_650;
    await expect.poll(() => givenUp, { timeout: 5_000 }).toEqual([200, 300, 400, 500, 600].map(passed => 1_000_000 + passed));
    await upstreams.close();
  });
});
