import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type AccessLog, openAccessLog } from '#gateway/access-log.ts';
import { startApp, type TestApp } from '#tests/app.ts';
import { startServer, withUpstreams } from '#tests/legacy-wire.ts';
import { ask, requestBytes, sendRaw, upgrade } from '#tests/raw-http.ts';
import { hostOf, idsOf, visit } from '#tests/visits.ts';

// Every test starts a gateway of its own.
vi.setConfig({ testTimeout: 60_000 });

let folder: string;
let app: TestApp;
let accessLog: AccessLog;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portal-log-'));
});
afterEach(async () => {
  await app.close();
  await accessLog.close().catch(() => {});
  rmSync(folder, { recursive: true, force: true });
});

const AGREED = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n';
let upstream: string | null = null;

async function start(file: string): Promise<void> {
  accessLog = openAccessLog(file, Date.now);
  app = await startApp({ change: deps => withUpstreams({ ...deps, accessLog }, () => upstream) });
}

const linesOf = (text: string) => text.split('\n').filter(line => line !== '');

test('the access log has a line for each answer: who, what and what came of it, and no query', async () => {
  const file = join(folder, 'access.jsonl');
  await start(file);
  const { host, cookie } = await visit(app, 'JHOWEL12');
  const { person, organisation } = await idsOf(app, 'JHOWEL12', 'SP3');
  const go = (target: string, cookies = cookie) => ask(app.port, { target, host, headers: [['Cookie', cookies]] });
  const page = await go('/education/hias/?secret=word');
  await go('/trailblazer/?secret=word');
  await go('/education/hias/?secret=word', '');
  await accessLog.close();

  const text = readFileSync(file, 'utf8');
  expect(text).not.toMatch(/secret|word|JHOWEL12|Howell|nonce|code=/);
  const lines = linesOf(text).map(line => JSON.parse(line));
  const common = {
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    reference: expect.stringMatching(/^[\dA-F]{4}-/),
    method: 'GET',
    host,
  };
  const figures = { bytes: expect.any(Number), ms: expect.any(Number) };
  expect(lines.slice(-3)).toEqual([
    { ...common, ...figures, person, organisation, service: 'hias', path: '/education/hias/', status: 200 },
    { ...common, ...figures, person, organisation, service: 'trailblazer', path: '/trailblazer/', status: 403 },
    { ...common, ...figures, person: null, organisation: null, service: 'hias', path: '/education/hias/', status: 302 },
  ]);
  expect(lines.at(-3).bytes).toBe(page.text.length);
});

test('what does not end as an answer should has its line too, once it is over, and is counted', async () => {
  let silent = () => {};
  const legacy = await startServer(({ url = '' }, response) => {
    if (url.endsWith('/silent')) return silent();
    if (!/left|half/.test(url)) return void response.end('well');
    response.writeHead(200, { 'content-length': '100000' }).write('the beginning');
    if (url.endsWith('/half')) setTimeout(() => response.destroy(), 50);
  });
  legacy.server.on('upgrade', (_request, socket) =>
    socket
      .on('end', () => socket.end())
      .resume()
      .write(AGREED),
  );
  upstream = legacy.origin;
  const file = join(folder, 'access.jsonl');
  await start(file);
  const { host, cookie } = await visit(app, 'JHOWEL12');
  const get = (name: string) => ({ target: `/education/hias/${name}`, host, headers: [['Cookie', cookie]] as [string, string][] });
  const answers = () => app.app.counts.rows().find(row => row.service === 'hias')?.classes ?? [0, 0, 0, 0, 0, 0];
  const before = [...answers()];

  const chat = await upgrade(app.port, get('chat'));
  expect(chat.answer.status).toBe(101);
  chat.socket.destroy();
  await sendRaw(app.port, requestBytes(get('left')), text => text.includes('the beginning'));
  await ask(app.port, get('half'));
  const visitor = createConnection(app.port, '127.0.0.1', () => visitor.write(requestBytes(get('silent'))));
  await new Promise<void>(resolve => {
    silent = resolve;
  });
  visitor.destroy();
  await expect.poll(() => answers().map((value, first) => value - before[first]!), { timeout: 10_000 }).toEqual([1, 1, 2, 0, 0, 0]);
  await accessLog.close();
  await legacy.close();
  upstream = null;
  const lines = linesOf(readFileSync(file, 'utf8')).map(line => JSON.parse(line));
  const ours = lines.slice(-4).map(({ path, status, bytes }) => `${path} ${status} ${bytes > 0}`);
  expect(ours.sort()).toEqual([
    '/education/hias/chat 101 true',
    '/education/hias/half 200 true',
    '/education/hias/left 200 true',
    '/education/hias/silent 0 false',
  ]);
});

test('a disk that is full costs lines, which are counted, and nothing else [fault 15]', async () => {
  await start('/dev/full');
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => ask(app.port, { target: '/sign-in?secret=word', host: hostOf(app, 'portal') })),
  );
  expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
  await expect.poll(() => accessLog.lost(), { timeout: 5_000 }).toBe(10);
});

test('every refusal is one line, with what was asked for and no query', async () => {
  await start(join(folder, 'access.jsonl'));
  const { host, cookie } = await visit(app, 'JHOWEL12');
  const before = linesOf(app.log()).length;
  const refused = [
    ['/trailblazer/?secret=word', 'access refused', { reason: 'no-grant', service: 'trailblazer' }],
    ['/nowhere?secret=word', 'request not served', { problem: 'not-found', status: 404 }],
    ['/education/hias/%2e%2e?secret=word', 'request not served', { problem: 'bad-request', status: 400 }],
  ] as const;
  for (const [target] of refused) await ask(app.port, { target, host, headers: [['Cookie', cookie]] });
  const lines = linesOf(app.log()).slice(before);
  expect(lines.map(line => JSON.parse(line))).toEqual(
    refused.map(([target, msg, fields]) =>
      expect.objectContaining({ ...fields, msg, reqId: expect.any(String), req: { method: 'GET', host, path: target.split('?')[0] } }),
    ),
  );
  expect(lines.join('')).not.toMatch(/secret|word|JHOWEL12/);
});
