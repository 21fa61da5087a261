import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { grant } from '#store/rules.ts';
import { startApp, type TestApp } from '#tests/app.ts';
import { startServer, withUpstreams } from '#tests/legacy-wire.ts';
import { ask, type RawAnswer, upgrade } from '#tests/raw-http.ts';
import { changeRights, idsOf, visit } from '#tests/visits.ts';

/** Three legacy servers; the first is a process that can be stopped in its tracks, so that its kernel still accepts connections. */
const program = `
  const { createServer } = require('node:http');
  const server = createServer((request, response) => response.end('well'));
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
`;
let frozen: ChildProcess;
let others: Awaited<ReturnType<typeof startServer>>[];
let app: TestApp;
let host: string;
let cookie: string;

beforeAll(async () => {
  frozen = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [port] = await once(frozen.stdout!, 'data');
  others = await Promise.all([1, 2].map(() => startServer((_request, response) => response.end('well'))));
  const byService: Record<string, string> = {
    hias: `http://127.0.0.1:${Number(String(port))}`,
    efs: others[0]!.origin,
    trailblazer: others[1]!.origin,
  };
  app = await startApp({
    env: { UPSTREAM_CONNECTIONS: '20', UPSTREAM_HEADERS_SECONDS: '50' },
    change: deps => withUpstreams(deps, ({ service }) => byService[service ?? ''] ?? null),
  });
  const who = await idsOf(app, 'JHOWEL12', 'SP3');
  await changeRights(app, who, (tx, change) => grant(tx, { ...change, service: 'trailblazer', endsAt: null }));
  ({ host, cookie } = await visit(app, 'JHOWEL12'));
}, 30_000);
afterAll(async () => {
  frozen.kill('SIGKILL');
  await app.close();
  for (const server of others) await server.close();
});

const get = (target: string) => ask(app.port, { host, target, headers: [['Cookie', cookie]] });
/** 100 requests, four at a time. */
async function useBusily(target: string): Promise<void> {
  for (let turn = 0; turn < 25; turn++) {
    const answers = await Promise.all([1, 2, 3, 4].map(() => get(target)));
    for (const { status, body } of answers) expect([status, body.includes('well')]).toEqual([200, true]);
  }
}

test('a legacy server that hangs, with everybody who waits for it, slows no other [fault 13]', { timeout: 60_000 }, async () => {
  frozen.kill('SIGSTOP');
  const settled: RawAnswer[] = [];
  const waiting = Array.from({ length: 60 }, () => get('/education/hias/').then(answer => void settled.push(answer)));
  const sockets = Array.from({ length: 20 }, () =>
    upgrade(app.port, { host, target: '/education/hias/chat', headers: [['Cookie', cookie]] }),
  );
  await useBusily('/efs/');
  await useBusily('/trailblazer/');
  // All of them still wait: the others were busy beside a hanging server whose own connections were all taken.
  expect(settled).toEqual([]);
  frozen.kill('SIGCONT');
  await Promise.all(waiting);
  expect(new Set(settled.map(({ status }) => status))).toEqual(new Set([200]));
  for (const { socket } of await Promise.all(sockets)) socket.destroy();
});
