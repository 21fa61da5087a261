import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lockDataDir } from '#store/data-dir.ts';
import { type Ended, type Env, productionCatalogue, run } from '#tests/command-line-steps.ts';
import { freePort } from '#tests/free-port.ts';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'portal-start-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const start = (env: Env, node?: string[]): Promise<Ended> => run({ DATA_DIR: join(dir, 'data'), ...env }, 'gateway/main.ts', [], node);

/** One sentence, in one line, about the very thing; no stack, no success. */
function expectSentence({ code, err }: Ended, sentence: RegExp): void {
  expect(err).toMatch(sentence);
  expect(err.trimEnd().split('\n')).toHaveLength(1);
  expect(err).toMatch(/\.\n$/);
  expect(code).toBe(1);
}

const oldNode = /^This needs Node 26 or newer, and this is Node (?:1\d|2[0-5])\.\d+\.\d+: run `npm ci`, .* through npm .*\.\n$/;

test('a Node that is too old says so before it meets the first TypeScript', async () => {
  // The pinned Node under an older one's name: it does what the guard lets it, whatever is installed here.
  const disguise = 'data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"20.11.1"}})';
  expectSentence(await start({}, [process.execPath, '--import', disguise]), oldNode);
});

test.runIf(olderNode() !== null)('so does the old Node of this machine itself', async () => {
  expectSentence(await start({}, [olderNode()!]), oldNode);
  expectSentence(await run({}, 'gateway/command-line.ts', ['check'], [olderNode()!]), oldNode);
});

test('a port that somebody else has is named', async () => {
  const port = await freePort();
  const other = createServer().listen(port, '127.0.0.1');
  const ended = await start({ PORT: String(port) });
  other.close();
  expectSentence(ended, new RegExp(`^Port ${port} is already in use: .* PORT `));
});

test('a data folder that cannot be one is named', async () => {
  const file = join(dir, 'file');
  writeFileSync(file, '');
  for (const folder of [file, join(file, 'below')]) {
    expectSentence(await start({ DATA_DIR: folder, PORT: '0' }), new RegExp(`^The folder ${folder} cannot be written: .* DATA_DIR `));
  }
});

test('a second gateway on the folder ends at once, and leaves the first one its data', async () => {
  const folder = join(dir, 'taken');
  const first = lockDataDir(folder);
  const ended = await start({ DATA_DIR: folder, PORT: '0' });
  first.release();
  expectSentence(ended, new RegExp(`^Another gateway is using the folder ${folder}: .* DATA_DIR `));
  expect(existsSync(join(folder, 'portal.sqlite'))).toBe(false);
});

test('data of another kind of installation are refused', async () => {
  const folder = join(dir, 'kinds');
  const { code } = await run({ CATALOGUE: productionCatalogue, DATA_DIR: folder }, 'gateway/command-line.ts', [
    'council',
    'add',
    'a@x.example',
  ]);
  expect(code).toBe(0);
  expectSentence(
    await start({ DATA_DIR: folder, PORT: '0' }),
    /^The data in .* belongs to a real installation and cannot be used for the demo: /,
  );
});

test('every wrong setting is named at once', async () => {
  const { code, err } = await start({ PORT: 'eighty', LOG_LEVEL: 'loud', SESSION_IDLE_MINUTES: '0' });
  expect(code).toBe(1);
  expect(err.trimEnd().split('\n')).toHaveLength(4);
  for (const name of ['PORT', 'LOG_LEVEL', 'SESSION_IDLE_MINUTES']) expect(err).toContain(`\n  ${name}: `);
});

/** A Node below 26 on this machine, if it has one. */
function olderNode(): string | null {
  const folders = ['/usr/bin', '/usr/local/bin', ...(process.env.PATH ?? '').split(delimiter)];
  const found = folders.map(folder => join(folder, 'node')).filter(node => existsSync(node));
  return found.find(node => Number(/^v(\d+)\./.exec(execFileSync(node, ['--version'], { encoding: 'utf8' }))?.[1]) < 26) ?? null;
}
