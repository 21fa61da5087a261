import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { root } from '#tests/command-line-steps.ts';
import { freePort } from '#tests/free-port.ts';
import { ask } from '#tests/raw-http.ts';

// More than twice what a pipe holds, which is 64 KiB.
const REQUESTS = 800;

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'portal-slow-log-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** A gateway whose standard output is a pipe, which nobody reads before there is a file of that name. */
function startIntoPipe(port: number) {
  const gateway = `echo $$ > ${dir}/pid; exec ${process.execPath} config/check-node.mjs gateway/main.ts`;
  const reader = `until [ -e ${dir}/go ]; do sleep 0.1; done; cat > ${dir}/out`;
  return spawn('sh', ['-c', `sh -c '${gateway}' | { ${reader}; }`], {
    cwd: root,
    env: { PATH: process.env.PATH, PORT: String(port), DATA_DIR: join(dir, 'data'), ACCESS_LOG: '-' },
    stdio: 'ignore',
  });
}

test('an access log on a pipe that is read late has every line, whole', async () => {
  const port = await freePort();
  const host = `portal.hants.localhost:${port}`;
  const pipeline = startIntoPipe(port);
  const ended = once(pipeline, 'close');
  const answers = () =>
    ask(port, { target: '/sign-in', host }).then(
      ({ status }) => status === 200,
      () => false,
    );
  try {
    await expect.poll(answers, { timeout: 60_000, interval: 200 }).toBe(true);
    for (let number = 0; number < REQUESTS; number += 1) await ask(port, { target: `/line-${number}`, host });
    // The lines are written twice a second.
    await wait(1_500);
  } finally {
    writeFileSync(join(dir, 'go'), '');
    await wait(500);
    process.kill(Number(readFileSync(join(dir, 'pid'), 'utf8')), 'SIGTERM');
    await ended;
  }
  const lines = readFileSync(join(dir, 'out'), 'utf8')
    .split('\n')
    .filter(line => line.includes('"bytes":') || line.includes('"time":"'));
  const paths = lines.map(line => JSON.parse(line).path).filter(path => path?.startsWith('/line-'));
  expect(paths).toEqual(Array.from({ length: REQUESTS }, (_, number) => `/line-${number}`));
});
