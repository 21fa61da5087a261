import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { root } from '#tests/command-line-steps.ts';
import { freePort } from '#tests/free-port.ts';
import { startGateway, stopGateway } from '#tests/gateway-process.ts';
import { startRawServer } from '#tests/legacy-wire.ts';
import { ask, requestBytes, sendRaw, upgrade } from '#tests/raw-http.ts';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'portal-stopping-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test('a gateway that is told to stop does so, whoever is in the middle of something', async () => {
  const port = await freePort();
  const gateway = await startGateway({ PORT: String(port), DATA_DIR: join(dir, 'data') });
  const host = `www3.hants.localhost:${port}`;
  const open = '/education/hias/moodle/';

  const chat = await upgrade(port, { target: `${open}echo`, host });
  expect(chat.answer.status).toBe(101);
  const halves = [
    'GET / HTTP/1.1\r\nHos',
    requestBytes({ method: 'POST', target: open, host, headers: [['Content-Length', '500']], body: 'x' }),
  ];
  for (const half of halves) {
    const socket = createConnection(port, '127.0.0.1', () => socket.write(half));
    socket.on('error', () => {}).resume();
    await once(socket, 'connect');
  }

  await stopGateway(gateway);
  expect(gateway.exitCode).toBe(0);
  await chat.closed;
});

/** Whether somebody listens there. */
const opens = (port: number) =>
  new Promise<boolean>(resolve => {
    const socket = createConnection(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });

/** A gateway of one open site in front of a legacy server that answers when a test says so. */
async function slowSite(drainSeconds: number) {
  const held: Socket[] = [];
  const legacy = await startRawServer((path, socket) => {
    if (path === '/events') socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: one\n\n');
    else held.push(socket);
  });
  const [port, operations] = [await freePort(), await freePort()];
  const catalogue = join(dir, `services-${port}.yaml`);
  const file = readFileSync(new URL('../../config/services.yaml', import.meta.url), 'utf8');
  writeFileSync(catalogue, file.replace('http://www-origin.hants.gov.uk', legacy.origin));
  const gateway = await startGateway({
    PORT: String(port),
    OPERATIONS_PORT: String(operations),
    DATA_DIR: join(dir, `data-${port}`),
    CATALOGUE: catalogue,
    DRAIN_SECONDS: String(drainSeconds),
  });
  const headers = [
    ['X-Forwarded-Proto', 'https'],
    ['Connection', 'keep-alive'],
  ] as const;
  return {
    gateway,
    held,
    catalogue,
    get: (path: string) => sendRaw(port, requestBytes({ target: path, host: 'www.hants.gov.uk', headers }), text => text.endsWith('well')),
    ask: (path: string) => ask(operations, { target: path, host: 'operations' }),
    opens: () => opens(port),
    close: () => legacy.close(),
  };
}

const WELL = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell';

test('a hundred answers under way are given to the end, while nobody new comes in and the balancer is told [fault 21]', async () => {
  const site = await slowSite(60);
  const events = site.get('/events');
  await expect.poll(async () => (await site.ask('/metrics')).body, { timeout: 30_000 }).toContain('\nportal_live_connections 1\n');
  // Eighty connections are what people without a session may have of a server: the others wait for their turn, under way as well.
  const answers = Array.from({ length: 100 }, (_, index) => site.get(`/slow/${index}`));
  await expect.poll(() => site.held.length, { timeout: 30_000 }).toBe(79);
  await expect.poll(async () => (await site.ask('/metrics')).body, { timeout: 30_000 }).toMatch(/^portal_upstream_waiting\{.*\} 21$/m);
  expect((await site.ask('/readyz')).status).toBe(200);

  const stopped = stopGateway(site.gateway);
  await expect.poll(async () => (await site.ask('/readyz')).status, { timeout: 10_000 }).toBe(503);
  await expect.poll(site.opens, { timeout: 30_000 }).toBe(false);
  // An event stream has no end to wait for: it is ended as a stream should be.
  expect((await events).text).toMatch(/data: one\n\n\r\n0\r\n\r\n$/);
  for (let answered = 0; answered < 100; answered += 1) {
    await expect.poll(() => site.held.length, { timeout: 10_000 }).toBeGreaterThan(0);
    site.held.shift()!.write(WELL);
  }
  expect((await Promise.all(answers)).map(({ status, body }) => `${status} ${body}`)).toEqual(Array(100).fill('200 well'));
  await stopped;
  expect(site.gateway.exitCode).toBe(0);
  await site.close();
});

test('whoever a balancer still sends while it has not yet asked again is answered', async () => {
  const site = await slowSite(60);
  const stopped = stopGateway(site.gateway);
  await expect.poll(async () => (await site.ask('/readyz')).status, { timeout: 10_000 }).toBe(503);
  const late = site.get('/late');
  await expect.poll(() => site.held.length, { timeout: 10_000 }).toBe(1);
  site.held[0]!.write(WELL);
  expect((await late).body).toBe('well');
  await stopped;
  expect(site.gateway.exitCode).toBe(0);
  await site.close();
});

test('an answer that does not come in time is waited for no longer', async () => {
  const site = await slowSite(1);
  const answer = site.get('/slow/for-ever');
  await expect.poll(() => site.held.length, { timeout: 30_000 }).toBe(1);
  await stopGateway(site.gateway);
  expect(site.gateway.exitCode).toBe(0);
  expect((await answer).status).toBe(0);
  await site.close();
});

test('SIGHUP has the catalogue read again and ends nothing', async () => {
  const site = await slowSite(1);
  const read = async () => /^portal_catalogue_read_seconds (\S+)$/m.exec((await site.ask('/metrics')).body)?.[1];
  const before = await read();
  site.gateway.kill('SIGHUP');
  await expect.poll(read, { timeout: 10_000 }).not.toBe(before);
  writeFileSync(site.catalogue, 'nonsense');
  site.gateway.kill('SIGHUP');
  await expect
    .poll(async () => /^portal_catalogue_well (\d)$/m.exec((await site.ask('/metrics')).body)?.[1], { timeout: 10_000 })
    .toBe('0');
  expect((await site.ask('/readyz')).status).toBe(200);
  await stopGateway(site.gateway);
  await site.close();
});

test('a signal to npm stops the gateway it started', async () => {
  const port = await freePort();
  const npm = spawn('npm', ['start'], { cwd: root, env: { ...process.env, PORT: String(port), DATA_DIR: join(dir, 'by-npm') } });
  let said = '';
  npm.stdout.on('data', chunk => {
    said += chunk;
  });
  await expect.poll(() => said, { timeout: 60_000 }).toContain('The Services Portal demo is ready');
  npm.kill('SIGTERM');
  await expect.poll(() => opens(port), { timeout: 30_000 }).toBe(false);
});
