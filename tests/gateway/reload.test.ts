import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { OperatorFault } from '#config/operator-fault.ts';
import { followCatalogue, openCatalogue, type Reloading } from '#gateway/reload.ts';
import { refuseVanished } from '#gateway/vanished.ts';
import { startApp, type TestApp } from '#tests/app.ts';
import { freePort } from '#tests/free-port.ts';
import { startRawServer } from '#tests/legacy-wire.ts';
import { ask, requestBytes, upgrade } from '#tests/raw-http.ts';
import { visit } from '#tests/visits.ts';

// Every test starts a gateway of its own, and builds it anew several times.
vi.setConfig({ testTimeout: 60_000 });

const WELL = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell';
const OTHER = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother';
const AGREED = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n';

/** The demo, served from a file that a test can change, in front of a legacy server that answers when it is told to. */
let folder: string;
let file: string;
let legacy: Awaited<ReturnType<typeof startRawServer>>;
let other: Awaited<ReturnType<typeof startRawServer>>;
let app: TestApp;
let reloading: Reloading;
let held: Socket[] = [];
let checks = 0;
let refusal: Error | null = null;
let text: string;
let logged: { fields: Record<string, unknown>; message: string }[] = [];

const services = readFileSync(new URL('../../config/services.yaml', import.meta.url), 'utf8');
const write = (changed: string) => writeFileSync(file, changed);
const follow = (everyMs = 3_600_000, began = openCatalogue(file)) =>
  followCatalogue({
    file,
    began,
    async take(catalogue) {
      if (refusal) throw refusal;
      await refuseVanished(app.store.db, catalogue, file, app.clock.now);
      await app.app.serve(catalogue);
    },
    now: () => app.clock.now,
    log: {
      info: (fields, message) => logged.push({ fields: { ...fields }, message }),
      error: (fields, message) => logged.push({ fields: { ...fields }, message }),
    },
    everyMs,
  });

beforeEach(async () => {
  held = [];
  checks = 0;
  refusal = null;
  logged = [];
  folder = mkdtempSync(join(tmpdir(), 'portal-reload-'));
  file = join(folder, 'services.yaml');
  legacy = await startRawServer((path, socket, head) => {
    if (path === '/alive') checks += 1;
    if (path.endsWith('/slow')) held.push(socket);
    else if (/^upgrade:/im.test(head)) socket.write(AGREED);
    else socket.write(WELL);
  });
  other = await startRawServer((_path, socket) => socket.write(OTHER));
  const port = String(await freePort());
  text = services
    .replace(/https:\/\/(portal|www3|intranet|www)\.hants\.gov\.uk/g, `http://$1.hants.localhost:${port}`)
    .replace(/http:\/\/(www3|intranet|www)\.hants\.gov\.uk/g, `http://$1.hants.localhost:${port}`)
    .replace(/http:\/\/(www3|intranet|www)-origin\.hants\.gov\.uk/g, legacy.origin);
  write(text);
  app = await startApp({ env: { PORT: port }, change: deps => ({ ...deps, catalogue: openCatalogue(file).catalogue }) });
  reloading = follow();
});
afterEach(async () => {
  await reloading.close();
  await app.close();
  await legacy.close();
  await other.close();
  rmSync(folder, { recursive: true, force: true });
});

const faults = () => logged.flatMap(({ fields }) => (fields.faults as string[] | undefined) ?? []);
/** The file with the pages of one service on another legacy server. */
const moved = (to: string) => text.replace(/(education\/hias), match: prefix/, `$1, match: prefix, upstream: "${to}"`);
const withPage = () => text.replace(/^( +- \{ address: .*\/efs), match: prefix \}$/m, '$1, match: prefix }\n$1-new, match: exact }');

test('what the file says is served from the next request on, and its checksum told', async () => {
  const { host, cookie } = await visit(app, 'JHOWEL12');
  const go = () => ask(app.port, { target: '/efs-new', host, headers: [['Cookie', cookie]] });
  expect((await go()).status).toBe(404);
  const before = reloading.state().checksum;
  write(withPage());
  await reloading.reload();
  expect(reloading.state()).toMatchObject({ well: true, checksum: openCatalogue(file).checksum });
  expect(reloading.state().checksum).not.toBe(before);
  expect((await go()).status).toBe(200);
});

test('a hundred requests under way end as they began, and the next goes where the new file says', async () => {
  const { host, cookie } = await visit(app, 'JHOWEL12');
  const go = (what: string) => ask(app.port, { target: `/education/hias/${what}`, host, headers: [['Cookie', cookie]] });
  // The share of one visitor is eighty connections: the others wait for their turn, under way as well.
  const waiting = Array.from({ length: 100 }, () => go('slow'));
  const { queue } = app.app.present().parts.upstreams.of(legacy.origin);
  await expect.poll(() => [held.length, queue.sizes().waiting], { timeout: 10_000 }).toEqual([80, 20]);
  write(moved(other.origin));
  await reloading.reload();
  expect(faults()).toEqual([]);
  expect((await go('page')).body).toBe('other');
  for (let answered = 0; answered < 100; answered += 1) {
    await expect.poll(() => held.length, { timeout: 10_000 }).toBeGreaterThan(0);
    held.shift()!.write(WELL);
  }
  const answers = await Promise.all(waiting);
  expect(answers.map(({ status, body }) => `${status} ${body}`)).toEqual(Array(100).fill('200 well'));
});

test('an open connection goes on while its address leads where it led, and ends when it does not', async () => {
  const { host, cookie } = await visit(app, 'JHOWEL12');
  const chat = await upgrade(app.port, { target: '/education/hias/chat', host, headers: [['Cookie', cookie]] });
  expect(chat.answer.status).toBe(101);
  write(withPage());
  await reloading.reload();
  expect(app.app.present().parts.live.size()).toBe(1);
  for (const socket of legacy.connections) socket.write('still there');
  expect(String((await once(chat.socket, 'data'))[0])).toBe('still there');
  write(moved(other.origin));
  await reloading.reload();
  await chat.closed;
  await expect.poll(() => app.app.present().parts.live.size()).toBe(0);
});

test.each([
  ['agrees', AGREED, 101],
  ['refuses', 'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n', 403],
  ['switches to something else', AGREED.replace('websocket', 'h2c'), 502],
  ['breaks off', null, 502],
])('a handshake that waits while the catalogue changes is answered when the legacy server %s', async (_what, bytes, status) => {
  const { host, cookie } = await visit(app, 'JHOWEL12');
  const chat = upgrade(app.port, { target: '/education/hias/slow', host, headers: [['Cookie', cookie]] });
  await expect.poll(() => held.length, { timeout: 10_000 }).toBe(1);
  write(withPage());
  await reloading.reload();
  if (bytes === null) held[0]!.destroy();
  else held[0]!.write(bytes);
  const { answer, socket } = await chat;
  expect(answer.status).toBe(status);
  socket.destroy();
});

test('a stream that begins after a change, for a request judged before it, is judged by the new catalogue', async () => {
  const { host, cookie } = await visit(app, 'JHOWEL12');
  const STREAM = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: one\n\n';
  const listen = () => ask(app.port, { target: '/education/hias/slow', host, headers: [['Cookie', cookie]] });
  const goesOn = listen();
  await expect.poll(() => held.length, { timeout: 10_000 }).toBe(1);
  write(withPage());
  await reloading.reload();
  held.shift()!.write(STREAM);
  await expect.poll(() => app.app.present().parts.live.size(), { timeout: 10_000 }).toBe(1);
  const ends = listen();
  await expect.poll(() => held.length, { timeout: 10_000 }).toBe(1);
  write(moved(other.origin));
  await reloading.reload();
  held.shift()!.write(STREAM);
  // Neither would ever end by itself.
  expect((await goesOn).status).toBe(200);
  expect((await ends).status).toBe(200);
  expect(app.app.present().parts.live.size()).toBe(0);
});

test('of a catalogue that is gone an answer without end keeps its connection and nothing else', async () => {
  const { host, cookie } = await visit(app, 'JHOWEL12');
  const rules = (health: string) => write(`${text}\nupstreams:\n  - origin: ${legacy.origin}\n    ${health}\n`);
  rules(`health: { path: /alive, everySeconds: 1 }`);
  await reloading.reload();
  expect(faults()).toEqual([]);
  const old = app.app.present();
  await expect.poll(() => checks, { timeout: 10_000 }).toBeGreaterThan(0);
  const stream = ask(app.port, { target: '/education/hias/slow', host, headers: [['Cookie', cookie]] });
  await expect.poll(() => held.length, { timeout: 10_000 }).toBe(1);
  held[0]!.write('HTTP/1.1 200 OK\r\n\r\nfor ever');
  await expect.poll(() => old.unanswered(), { timeout: 10_000 }).toBe(0);
  expect(old.parts.policies.sizes().remembered + old.parts.policies.sizes().enforcers).toBeGreaterThan(0);
  write(text);
  await reloading.reload();
  await expect.poll(() => old.parts.policies.sizes(), { timeout: 10_000 }).toMatchObject({ enforcers: 0, weight: 0 });
  const before = checks;
  await new Promise(resolve => setTimeout(resolve, 3_000));
  expect(checks).toBe(before);
  held[0]!.end(' and ever');
  expect((await stream).body).toContain('and ever');
});

/** Fifty ways in which a file can be wrong; each says which. */
function mutations(): [string, string][] {
  const lines = text.split('\n');
  const entries = lines.flatMap((line, index) => (/^ {4}(?:shortName|fullName|start|contact|whoMayGrant): /.test(line) ? [index] : []));
  const at = (n: number) => entries[(n * 3) % entries.length]!;
  const replaced = (index: number, ...by: string[]) => [...lines.slice(0, index), ...by, ...lines.slice(index + 1)].join('\n');
  const some = (what: string, make: (n: number) => string) =>
    Array.from({ length: 10 }, (_, n): [string, string] => [`${what} ${n}`, make(n)]);
  const keyOf = (line: string) => line.slice(0, line.indexOf(':') + 1);
  return [
    ...some('cut in the middle of a line', n => text.slice(0, Math.floor((text.length * (n + 1)) / 12) + 3)),
    ...some('cut after a whole line', n => lines.slice(0, at(n)).join('\n')),
    ...some('wrong type', n => replaced(at(n), `${keyOf(lines[at(n)]!)} [1, 2]`)),
    ...some('unknown key', n => replaced(at(n), lines[at(n)]!, `    keyNobodyKnows${n}: yes`)),
    ...some('duplicate host', n =>
      text.replace(
        /^services:/m,
        `  - origin: ${/^ {2}- origin: (\S+)/m.exec(text)![1]!}\n    upstream: http://127.0.0.1:${n + 1}\n\nservices:`,
      ),
    ),
  ];
}

test('of fifty files that are wrong none is served, each is named with its line, and the old one goes on [fault 16]', async () => {
  const { host, cookie } = await visit(app, 'JHOWEL12');
  const { checksum } = reloading.state();
  const catalogue = app.app.present().parts.catalogue;
  expect(mutations()).toHaveLength(50);
  for (const [what, broken] of mutations()) {
    logged = [];
    write(broken);
    await reloading.reload();
    expect([what, reloading.state()]).toEqual([what, { well: false, at: expect.any(Number), checksum }]);
    expect([what, faults().length]).not.toEqual([what, 0]);
    for (const fault of faults()) expect([what, fault]).toEqual([what, expect.stringMatching(/services\.yaml:(?:\d+:)? \S/)]);
    expect(app.app.present().parts.catalogue).toBe(catalogue);
    expect((await ask(app.port, { target: '/education/hias/', host, headers: [['Cookie', cookie]] })).body).toBe('well');
  }
  write(text);
  await reloading.reload();
  expect(reloading.state()).toMatchObject({ well: true, checksum });
});

test('a service that somebody has cannot vanish, and can be archived', async () => {
  const start = text.indexOf('  - id: governors');
  write(text.slice(0, start));
  await reloading.reload();
  expect(faults()).toEqual([
    expect.stringMatching(
      /services\.yaml: governors is gone, but \d+ organisations and \d+ people have it or are blocked from it; put it back, with "archived: true"/,
    ),
  ]);
  write(text.replace('  - id: governors', '  - archived: true\n    id: governors'));
  await reloading.reload();
  expect(reloading.state().well).toBe(true);
});

test('the certificates that the file names are read again with it [fault 20]', async () => {
  const certify = () => {
    const kind = [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=efs.internal',
    ];
    execFileSync('openssl', [...kind, '-keyout', 'ca.key', '-out', 'ca.pem'], { cwd: folder, stdio: 'pipe' });
    return readFileSync(join(folder, 'ca.pem'), 'utf8');
  };
  const secure = 'https://efs.internal';
  const old = certify();
  write(`${moved(secure)}\nupstreams:\n  - origin: ${secure}\n    ca: ca.pem\n`);
  await reloading.reload();
  const ca = () => app.app.present().parts.catalogue.upstreams.get(secure)?.ca;
  expect(ca()).toBe(old);
  const renewed = certify();
  await reloading.reload();
  expect(ca()).toBe(renewed);
});

test('a change of the file is noticed, once it has been left alone', async () => {
  await reloading.close();
  reloading = follow(100);
  await new Promise(resolve => setTimeout(resolve, 150));
  // As a slow copy does: it grows at every look, and what is there is no catalogue yet.
  for (let part = 1; part <= 5; part += 1) {
    write(withPage().slice(0, part * 1_000));
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  write(withPage());
  await expect.poll(() => logged.length, { timeout: 10_000 }).toBeGreaterThan(0);
  expect(logged.map(({ message }) => message)).toEqual(['the service catalogue was read again and is served now']);
});

test('a change between the first reading and the first look is noticed', async () => {
  await reloading.close();
  const began = openCatalogue(file);
  write(withPage());
  reloading = follow(50, began);
  await expect.poll(() => reloading.state().checksum, { timeout: 10_000 }).toBe(openCatalogue(file).checksum);
});

test('a change that somebody says is read once', async () => {
  await reloading.close();
  reloading = follow(50);
  await new Promise(resolve => setTimeout(resolve, 200));
  write(withPage());
  await reloading.reload();
  await new Promise(resolve => setTimeout(resolve, 500));
  expect(logged).toHaveLength(1);
});

test('once closed, nothing is read again', async () => {
  const before = reloading.state().checksum;
  await reloading.close();
  write(withPage());
  await reloading.reload();
  expect([logged, reloading.state().checksum]).toEqual([[], before]);
});

test('a fault that is one sentence is said', async () => {
  refusal = new OperatorFault('Do this.');
  await reloading.reload();
  expect(faults()).toEqual(['Do this.']);
});

test('a catalogue that cannot be served leaves nothing behind', async () => {
  const health = `health: { path: /alive, everySeconds: 1 }`;
  write(`${text}\nupstreams:\n  - origin: ${legacy.origin}\n    ${health}\n`);
  const { feed } = app.installation;
  const onEntry = feed.onEntry;
  feed.onEntry = () => {
    throw new Error('no room');
  };
  await reloading.reload();
  feed.onEntry = onEntry;
  expect(logged.map(({ fields }) => String(fields.err))).toEqual(['Error: no room']);
  await new Promise(resolve => setTimeout(resolve, 3_000));
  expect(checks).toBe(0);
  write(text);
  await reloading.reload();
  expect(reloading.state().well).toBe(true);
});

test('a request that is judged while the catalogue changes is answered', async () => {
  const { host, cookie } = await visit(app, 'JHOWEL12');
  const answers: Promise<{ status: number }>[] = [];
  for (let round = 0; round < 5; round += 1) {
    write(round % 2 === 0 ? withPage() : text);
    const reloaded = reloading.reload();
    for (let request = 0; request < 20; request += 1) {
      answers.push(ask(app.port, { target: '/education/hias/', host, headers: [['Cookie', cookie]] }));
      await new Promise(resolve => setImmediate(resolve));
    }
    await reloaded;
  }
  expect(new Set((await Promise.all(answers)).map(({ status }) => status))).toEqual(new Set([200]));
});

test('a connection that is kept open meets the new catalogue with its next request', async () => {
  const socket = createConnection(app.port, '127.0.0.1');
  const { host, cookie } = await visit(app, 'JHOWEL12');
  const go = async () => {
    socket.write(
      requestBytes({
        target: '/efs-new',
        host,
        headers: [
          ['Cookie', cookie],
          ['Connection', 'keep-alive'],
        ],
      }),
    );
    return String((await once(socket, 'data'))[0]).slice(0, 12);
  };
  expect(await go()).toBe('HTTP/1.1 404');
  await new Promise(resolve => setTimeout(resolve, 100));
  socket.resume();
  write(withPage());
  await reloading.reload();
  expect(await go()).toBe('HTTP/1.1 200');
  socket.destroy();
});
