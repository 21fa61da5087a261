import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type AccessLog, openAccessLog } from '#gateway/access-log.ts';
import { startApp, type TestApp } from '#tests/app.ts';
import { ask } from '#tests/raw-http.ts';
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

async function start(file: string): Promise<void> {
  accessLog = openAccessLog(file, Date.now);
  app = await startApp({ change: deps => ({ ...deps, accessLog }) });
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
