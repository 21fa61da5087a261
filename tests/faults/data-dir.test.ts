import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openStore } from '#store/database.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'portal-folder-'));
  chmodSync(dir, 0o755);
});
afterEach(() => {
  chmodSync(dir, 0o755);
  rmSync(dir, { recursive: true, force: true });
});

/** What checkDataDir says to a user without special powers: to root, everything is writable. */
function said(folder: string): string {
  const program = `const { checkDataDir } = await import(${JSON.stringify(fileURLToPath(import.meta.resolve('#store/data-dir.ts')))});
    if (process.getuid?.() === 0) process.setuid(65534);
    try { checkDataDir(process.argv[1]); console.log('fine'); } catch (error) { console.log(error.name + ': ' + error.message); }`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program, folder], { encoding: 'utf8' });
  return stdout.trimEnd();
}

test('a file of the folder that another user has made is named, with what to do', () => {
  chmodSync(dir, 0o777);
  expect(said(dir)).toBe('fine');
  for (const name of ['session.key', 'portal.sqlite', 'portal.sqlite-wal', 'outbox.jsonl']) {
    const file = join(dir, name);
    writeFileSync(file, '', { mode: 0o400 });
    expect(said(dir)).toMatch(new RegExp(`^DataDirFault: The file ${file} belongs to another user: .*chown -R <user> ${dir}.*\\.$`));
    rmSync(file, { force: true });
  }
});

test('what somebody else keeps beside the data is their own affair', () => {
  chmodSync(dir, 0o777);
  writeFileSync(join(dir, 'portal.sqlite.bak'), '', { mode: 0 });
  mkdirSync(join(dir, 'lost+found'), { mode: 0 });
  expect(said(dir)).toBe('fine');
});

test('a folder that is not there yet is fine where it can be made, and named where it cannot', () => {
  expect(said(join(tmpdir(), 'portal-nowhere', 'below'))).toBe('fine');
  chmodSync(dir, 0o555);
  for (const folder of [join(dir, 'data'), join(dir, 'deep', 'data')])
    expect(said(folder)).toMatch(new RegExp(`^DataDirFault: The folder ${folder} cannot be written: `));
});

test('the data are for this user alone, even in a folder that everybody may look into', async () => {
  const store = await openStore({ file: join(dir, 'portal.sqlite') });
  for (const name of ['portal.sqlite', 'portal.sqlite-wal', 'portal.sqlite-shm'])
    expect([name, (statSync(join(dir, name)).mode & 0o777).toString(8)]).toEqual([name, '600']);
  await store.close();
});
