import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defences, nothingToTakeOut } from './defences/all.ts';
import type { Defence } from './defences/defence.ts';

/**
 * Takes every defence against a published flaw out of a copy of this checkout, one at a time, and asks whether the tests that carry the
 * flaw's number notice: `npm run test:defences`, or for some rows alone `npm run test:defences -- 31 33`. A test that passes without
 * what it is about says nothing.
 */
const root = fileURLToPath(new URL('..', import.meta.url));
const LANES = 2;
const TRIES = 3;

type Told = { fullName: string; status: string; failureMessages: string[] };
type Seen = { row: number; out: string; failure: string | null };

/** What git knows of the checkout, or would; with the packages that are there already. */
function copyCheckout(): string {
  const copy = mkdtempSync(join(tmpdir(), 'portal-defences-'));
  // PostgreSQL, which some tests start, runs as another user and must be able to look in.
  chmodSync(copy, 0o755);
  const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8' });
  for (const file of files.split('\0').filter(name => name !== '')) {
    mkdirSync(join(copy, dirname(file)), { recursive: true });
    cpSync(join(root, file), join(copy, file));
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

/** Takes a defence out of the copy; what is returned puts it back. */
function takeOut(copy: string, { edits }: Defence): () => void {
  const before = new Map(edits.map(({ file }) => [join(copy, file), readFileSync(join(copy, file), 'utf8')]));
  for (const { file, take, put } of edits) {
    const text = readFileSync(join(copy, file), 'utf8');
    if (text.split(take).length !== 2) throw new Error(`${file} does not have it once: ${take}`);
    writeFileSync(
      join(copy, file),
      text.replace(take, () => put),
    );
  }
  return () => {
    for (const [path, text] of before) writeFileSync(path, text);
  };
}

/** Runs the tests that carry one of the numbers. */
async function runTests(copy: string, { rows, tests }: Defence): Promise<Told[]> {
  const report = join(copy, 'report.json');
  rmSync(report, { force: true });
  const titles = `#(?:${rows.join('|')})(?!\\d)`;
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const how = ['--root', copy, '--config', 'tests/defences/vitest.config.ts', '--reporter=json', `--outputFile=${report}`];
  const args = [vitest, 'run', ...tests, '--testNamePattern', titles, ...how];
  const child = spawn(process.execPath, args, { cwd: copy, stdio: 'ignore' });
  await once(child, 'exit');
  const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as { testResults: { assertionResults: Told[] }[] };
  return testResults.flatMap(({ assertionResults }) => assertionResults);
}

/** A machine with too much to do lets tests run out of time: that is no answer, unless hanging is what happens without the defence. */
const answers = ({ hangs }: Defence, { status, failureMessages }: Told) =>
  status === 'passed' || (status === 'failed' && (hangs || !/timed out/i.test(failureMessages[0] ?? '')));

async function tryWithout(copy: string, defence: Defence): Promise<Seen[]> {
  const putBack = takeOut(copy, defence);
  let told: Told[] = [];
  for (let tries = 0; tries < TRIES && !told.some(one => answers(defence, one)); tries++) told = await runTests(copy, defence);
  putBack();
  const failed = told.filter(one => one.status === 'failed' && answers(defence, one));
  return defence.rows.map(row => {
    const failure = failed.find(({ fullName }) => new RegExp(`#${row}(?!\\d)`).test(fullName));
    return { row, out: defence.out, failure: failure ? (failure.failureMessages[0] ?? '').split('\n', 1)[0]! : null };
  });
}

const asked = process.argv.slice(2).map(Number);
const waiting = defences.filter(({ rows }) => asked.length === 0 || rows.some(row => asked.includes(row)));
const seen: Seen[] = [];

async function lane(): Promise<void> {
  const copy = copyCheckout();
  for (let defence = waiting.shift(); defence; defence = waiting.shift()) {
    const found = await tryWithout(copy, defence);
    seen.push(...found);
    for (const { row, out, failure } of found)
      console.log(`${failure === null ? 'NOT SEEN' : 'seen    '} ${row}  ${out}${failure === null ? '' : `  →  ${failure}`}`);
  }
  rmSync(copy, { recursive: true, force: true });
}

await Promise.all(Array.from({ length: LANES }, lane));
const unseen = seen.filter(({ failure }) => failure === null);
for (const { row, reason } of nothingToTakeOut) console.log(`not tried ${row}  ${reason}`);
console.log(
  `${new Set(seen.filter(({ failure }) => failure !== null).map(({ row }) => row)).size} rows seen to fail, ${unseen.length} not.`,
);
process.exitCode = unseen.length === 0 ? 0 : 1;
