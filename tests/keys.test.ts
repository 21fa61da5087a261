import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KeyFault, loadKeys } from '#gateway/keys.ts';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'portal-keys-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const keysIn = (dataDir: string) => loadKeys({ sessionKeys: [], dataDir });

test('a key is made once, for its owner alone, and found again', () => {
  const folder = join(dir, 'deep', 'data');
  const made = keysIn(folder);
  expect(keysIn(folder)).toEqual(made);
  expect(readdirSync(folder)).toEqual(['session.key']);
  expect(statSync(join(folder, 'session.key')).mode & 0o777).toBe(0o600);
  expect(new Set([made.session[0], made.csrf[0], made.code, made.seal].map(key => key?.toString('hex'))).size).toBe(4);
});

// The gateway and the command line start side by side on a new folder: each of these threads stands for one of them.
const racer = `
  const { parentPort, workerData } = require('node:worker_threads');
  import(workerData.keys).then(({ loadKeys }) => {
    const line = new Int32Array(workerData.line);
    const found = workerData.folders.map((dataDir, race) => {
      Atomics.add(line, race, 1);
      while (Atomics.load(line, race) < workerData.racers);
      try {
        return loadKeys({ sessionKeys: [], dataDir }).seal.toString('hex');
      } catch (error) {
        return String(error);
      }
    });
    parentPort.postMessage(found);
  });`;

test('of several who find no key at the same moment all get the same one', async () => {
  const folders = Array.from({ length: 40 }, (_, race) => join(dir, `race-${race}`));
  const racers = 2;
  const workerData = {
    ...{ folders, racers, line: new SharedArrayBuffer(4 * folders.length) },
    keys: fileURLToPath(import.meta.resolve('#gateway/keys.ts')),
  };
  const workers = Array.from({ length: racers }, () => new Worker(racer, { eval: true, workerData }));
  const answerOf = (worker: Worker) =>
    new Promise<string[]>((resolve, reject) => void worker.once('message', resolve).once('error', reject));
  const found = await Promise.all(workers.map(answerOf));
  await Promise.all(workers.map(worker => worker.terminate()));
  const kept = folders.map(folder => keysIn(folder).seal.toString('hex'));
  expect(found).toEqual([kept, kept]);
  expect(folders.flatMap(folder => readdirSync(folder)).filter(name => name !== 'session.key')).toEqual([]);
});

test.each(['', 'short', 'A'.repeat(44)])('a file with %j in it is no key #96, and is left as it is', text => {
  const file = join(mkdtempSync(join(dir, 'bad-')), 'session.key');
  writeFileSync(file, text);
  expect(() => keysIn(join(file, '..'))).toThrow(KeyFault);
  expect(() => keysIn(join(file, '..'))).toThrow(`The key in ${file} is not 32 bytes in base64: restore`);
  expect(readFileSync(file, 'utf8')).toBe(text);
});
