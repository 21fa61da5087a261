import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { type AddressInfo, createServer, createConnection as open, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { normalHost } from '#gateway/sites.ts';
import { written } from '#tests/attacks/written.ts';
import { root } from '#tests/command-line-steps.ts';
import { freePort } from '#tests/free-port.ts';
import { httpsHeaders, type Installed, refused, startInstalled } from '#tests/installed.ts';
import { startServer } from '#tests/legacy-wire.ts';
import { ask, requestBytes } from '#tests/raw-http.ts';
import { type FrontServer, startHaproxy, startNginx } from '#tests/servers.ts';

/**
 * The same bytes through two other parsers: one in front of the gateway, nginx as the sample sets it up or HAProxy, and one behind it,
 * nginx in the legacy server's place. Between front and gateway every byte is kept: what the front made of an attack is there to read.
 */
const corpus = <Row>(name: string) => JSON.parse(readFileSync(join(root, `tests/attacks/${name}.json`), 'utf8')) as Row[];

type Asked = { line: string; host: string | null };

let legacy: Awaited<ReturnType<typeof startServer>>;
let behind: FrontServer;
let behindLog = '';
let dir = '';
let installed: Installed;
let tap: Awaited<ReturnType<typeof startTap>>;
const arrived: { line: string; headers: IncomingMessage['headers']; raw: string[] }[] = [];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'portal-parsers-'));
  behindLog = join(dir, 'behind.log');
  legacy = await startServer((request, response) => {
    arrived.push({ line: `${request.method} ${request.url}`, headers: request.headers, raw: request.rawHeaders });
    request.resume().once('end', () => response.end(`You asked for ${request.url}.`));
  });
  const port = await freePort();
  behind = await startNginx(strictServer(port, legacy.origin), port);
  installed = await startInstalled(`http://127.0.0.1:${port}`);
  tap = await startTap(installed.port);
});
afterAll(async () => {
  await tap?.close();
  await installed?.close();
  await behind?.stop();
  await legacy.close();
  rmSync(dir, { recursive: true, force: true });
});

/** It writes down what it understood, and keeps nothing back that only others might misunderstand. */
const strictServer = (port: number, origin: string) => `
  log_format lines escape=none '$request_method $request_uri';
  access_log ${behindLog} lines;
  underscores_in_headers on;
  ignore_invalid_headers off;
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass ${origin}; proxy_http_version 1.1; proxy_set_header Host $http_host; proxy_set_header Connection ""; }
  }`;

/** Keeps what the front sends and counts what the gateway answers. */
async function startTap(to: number) {
  const connections: { asked: Buffer[]; answered: Buffer[] }[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer(near => {
    const kept = { asked: [] as Buffer[], answered: [] as Buffer[] };
    connections.push(kept);
    const far = open(to, '127.0.0.1');
    for (const socket of [near, far]) sockets.add(socket.on('error', () => socket.destroy()));
    near.on('data', (chunk: Buffer) => kept.asked.push(chunk)).pipe(far);
    far.on('data', (chunk: Buffer) => kept.answered.push(chunk)).pipe(near);
    near.once('close', () => far.destroy());
    far.once('close', () => near.destroy());
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    /** Kept-alive connections go on: what they have carried so far is forgotten. */
    forget() {
      for (const kept of connections) [kept.asked, kept.answered] = [[], []];
    },
    asked: () => connections.flatMap(({ asked }) => requestsIn(Buffer.concat(asked).toString('latin1'))),
    answers: () =>
      connections.flatMap(
        ({ answered }) =>
          Buffer.concat(answered)
            .toString('latin1')
            .match(/HTTP\/1\.1 [2-5]\d\d /g) ?? [],
      ).length,
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise(resolve => server.close(resolve));
    },
  };
}

/** What a front has sent, read as strictly as it writes: a head, and a body by its length or in chunks, and the next head. */
function requestsIn(bytes: string): Asked[] {
  const found: Asked[] = [];
  for (let rest = bytes; rest.includes('\r\n\r\n'); ) {
    const end = rest.indexOf('\r\n\r\n') + 4;
    const head = rest.slice(0, end);
    const [, line = head] = /^(\S+ .*) HTTP\/1\.[01]\r\n/.exec(head) ?? [];
    found.push({ line, host: /^host: *(.*)\r$/im.exec(head)?.[1] ?? null });
    rest = rest.slice(end);
    if (/^transfer-encoding: *chunked\r$/im.test(head))
      rest = rest.slice(/(?:^|\r\n)0+\r\n\r\n/.exec(rest)?.index ?? rest.length).replace(/^(?:\r\n)?0+\r\n\r\n/, '');
    else rest = rest.slice(Number(/^content-length: *(\d+)\r$/im.exec(head)?.[1] ?? 0));
  }
  return found;
}

/** Sends bytes, and is content when nothing more comes: some fronts wait for the rest of a request for a minute. */
function attack(port: number, bytes: Buffer | string): Promise<string> {
  return new Promise(resolve => {
    let heard = '';
    const socket = open(port, '127.0.0.1', () => socket.write(bytes));
    socket.setTimeout(300, () => socket.destroy());
    socket
      .on('error', () => {})
      .on('data', chunk => {
        heard += chunk.toString('latin1');
      });
    socket.once('close', () => resolve(heard));
  });
}

/** The sample of config/deploy, over plain http on a loopback port and with everything else as it stands there. */
function sampleOfNginx(port: number): string {
  return readFileSync(join(root, 'config/deploy/nginx.conf'), 'utf8')
    .replace('listen 443 ssl;', `listen 127.0.0.1:${port};`)
    .replace(/ssl_certificate\w* .*;/g, '')
    .replace(/access_log .*;/, '')
    .replace('http://127.0.0.1:8080', `http://127.0.0.1:${tap.port}`)
    .replace('$scheme;', 'https;');
}

const haproxy = (port: number) => `
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout http-request 10s
frontend portal
  bind 127.0.0.1:${port}
  http-request set-header X-Forwarded-Proto https
  http-request set-header X-Forwarded-For %[src]
  default_backend gateway
backend gateway
  http-reuse always
  server one 127.0.0.1:${tap.port}
`;

describe.each(['nginx', 'HAProxy', 'nothing'])('with %s in front', front => {
  let port = 0;
  let proxy: FrontServer | null = null;
  let marks = 0;
  let seenBehind = 0;

  beforeAll(async () => {
    seenBehind = readFileSync(behindLog, 'utf8').split('\n').length - 1;
    port = front === 'nothing' ? tap.port : await freePort();
    if (front === 'nginx') proxy = await startNginx(sampleOfNginx(port), port);
    if (front === 'HAProxy') proxy = await startHaproxy(haproxy(port), port);
  });
  afterAll(() => proxy?.stop());
  beforeEach(() => {
    tap.forget();
    arrived.length = 0;
  });

  const signedIn = (): [string, string][] =>
    [...(front === 'nothing' ? httpsHeaders : []), ['Cookie', installed.cookie]] as [string, string][];

  /** Whatever was sent: what reached the legacy server is what the front asked for, and whoever comes next gets their own answer. */
  async function expectOneMeaning(bytes: Buffer | string): Promise<{ heard: string; reached: string[] }> {
    const heard = await attack(port, bytes);
    const understood = tap.asked();
    const reached = arrived.map(({ line }) => line);
    const mark = `/trailblazer/mark-${++marks}`;
    const next = await ask(port, { target: mark, host: installed.host, headers: signedIn() });
    expect([next.status, next.body.includes(`You asked for ${mark}.`)]).toEqual([200, true]);

    if (front !== 'nothing') {
      const left = understood.map(({ line }) => line);
      for (const line of reached) expect(left.splice(left.indexOf(line), left.includes(line) ? 1 : 0), line).toEqual([line]);
      expect(tap.answers()).toBeLessThanOrEqual(understood.length + 1);
    }
    for (const { line, headers } of arrived) {
      expect(line).not.toMatch(new RegExp(`/${refused}(?:[/?.;]|$)`, 'i'));
      expect(headers['remote-user']).toBe('alice@first.example');
      expect(understood.some(({ host }) => normalHost(host ?? '') === headers['x-forwarded-host']) || line.endsWith(mark)).toBe(true);
    }
    return { heard, reached };
  }

  /** The parser behind the gateway has seen exactly these, since the last time it was asked. */
  async function linesBehind(last: string): Promise<string[]> {
    const lines = () => readFileSync(behindLog, 'utf8').split('\n').slice(0, -1);
    await expect.poll(() => lines().slice(seenBehind).includes(last), { timeout: 10_000, interval: 20 }).toBe(true);
    const all = lines();
    const fresh = all.slice(seenBehind);
    seenBehind = all.length;
    return fresh;
  }
  test.each(corpus<{ why: string; bytes: string }>('raw-requests'))('a request that can be read in two ways: $why', async ({ bytes }) => {
    const filled = bytes.replaceAll('{host}', installed.host).replaceAll('{cookie}', installed.cookie);
    await expectOneMeaning(Buffer.from(filled, 'latin1'));
    expect(await linesBehind(`GET /trailblazer/mark-${marks}`)).toEqual(arrived.map(({ line }) => line));
  });

  test.each(corpus<{ target: string; why: string }>('refused-paths'))('a path that can: $target ($why)', async row => {
    for (const page of ['trailblazer', refused]) {
      arrived.length = 0;
      tap.forget();
      const request = { target: written(row, page, installed.host), host: installed.host, headers: signedIn() };
      const { reached } = await expectOneMeaning(requestBytes(request));
      // A front may have made another request of it, one with a single meaning; then that is what counts.
      expect(reached.filter(line => line === `GET ${request.target}`)).toEqual([]);
      expect(await linesBehind(`GET /trailblazer/mark-${marks}`)).toEqual(arrived.map(({ line }) => line));
    }
  });

  test.each(corpus<{ target: string; why: string }>('same-paths'))('a path that is a page: $target ($why)', async row => {
    const target = written(row, 'trailblazer', installed.host);
    const { reached } = await expectOneMeaning(requestBytes({ target, host: installed.host, headers: signedIn() }));
    expect(reached).toEqual([`GET ${target}`]);
    expect(await linesBehind(`GET /trailblazer/mark-${marks}`)).toEqual([`GET ${target}`, `GET /trailblazer/mark-${marks}`]);
    arrived.length = 0;
    const other = requestBytes({ target: written(row, refused, installed.host), host: installed.host, headers: signedIn() });
    expect((await expectOneMeaning(other)).reached).toEqual([]);
    await linesBehind(`GET /trailblazer/mark-${marks}`);
  });

  test.each(corpus<{ host: string; why: string }>('hosts'))('the Host header “$host” ($why)', async row => {
    const host = row.host.replace('hants.localhost', 'hants.gov.uk').replace('{port}', '443');
    await expectOneMeaning(requestBytes({ target: '/trailblazer/', host, headers: signedIn() }));
    await linesBehind(`GET /trailblazer/mark-${marks}`);
  });

  test('headers by which somebody poses as somebody else', async () => {
    const claims = corpus<[string, string]>('headers').filter(([name]) => !/^(?:x-forwarded-proto|x.forwarded.for)$/i.test(name));
    for (const some of [claims.slice(0, 40), claims.slice(40, 80), claims.slice(80)]) {
      await expectOneMeaning(requestBytes({ target: '/trailblazer/', host: installed.host, headers: [...signedIn(), ...some] }));
    }
    expect(arrived.filter(({ line }) => line === 'GET /trailblazer/')).toHaveLength(3);
    expect(arrived.map(({ raw }) => raw.join()).join()).not.toContain('mallory');
    await linesBehind(`GET /trailblazer/mark-${marks}`);
  });
});
