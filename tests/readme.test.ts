import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { settingsTable } from '#config/settings-table.ts';

const root = join(import.meta.dirname, '..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

const section = (title: string) => readme.split(`\n## ${title}\n`)[1]?.split('\n## ')[0] ?? '';
/** The first cells of a section's table rows. */
const firstCells = (text: string) => [...text.matchAll(/^\| (`[^|]*) \|/gm)].map(([, cell]) => cell ?? '');
const quoted = (text: string) => [...text.matchAll(/`([^`\n]+)`/g)].map(([, word]) => word ?? '');

/** The settings as the README shows them. */
function settingsInWords(): string {
  const rows = settingsTable.map(
    ({ name, default: fallback, meaning, secret }) =>
      `| \`${name}\`${secret ? ' †' : ''} | ${fallback && `\`${fallback}\``} | ${meaning} |`,
  );
  return ['| setting | default | meaning |', '| --- | --- | --- |', ...rows].join('\n');
}

test('the table of settings is the list of settings', () => {
  expect(/<!-- settings:.*-->\n([\s\S]*)\n<!-- \/settings -->/.exec(readme)?.[1]).toBe(settingsInWords());
});

test('the table of dependencies names every package, and no other', () => {
  const { dependencies, devDependencies, optionalDependencies } = manifest;
  const installed = Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies });
  const named = firstCells(section('Dependencies')).flatMap(quoted);
  expect(named.sort()).toEqual(installed.sort());
});

test('every version is exact', () => {
  const { dependencies, devDependencies, optionalDependencies } = manifest;
  for (const version of Object.values({ ...dependencies, ...devDependencies, ...optionalDependencies }))
    expect(version).toMatch(/^\d+\.\d+\.\d+(-beta\.\d+)?$/);
});

test('the map names every room, and no other', () => {
  const rooms = firstCells(section('The rooms'))
    .flatMap(quoted)
    .map(room => room.replace('/', ''));
  const apart = ['node_modules', 'data', 'screenshots', 'coverage'];
  const folders = readdirSync(root, { withFileTypes: true })
    .filter(entry => entry.isDirectory() && !entry.name.startsWith('.') && !apart.includes(entry.name))
    .map(entry => entry.name);
  expect(rooms.sort()).toEqual(folders.sort());
});

test('every file and command it names is there', () => {
  const files = [...quoted(readme), ...[...readme.matchAll(/\]\(([^)#]+)\)/g)].map(([, file]) => file ?? '')].filter(word =>
    /^[a-z-]+\/[a-z0-9./-]*$/.test(word),
  );
  expect(files.length).toBeGreaterThan(20);
  for (const file of files) expect([file, existsSync(join(root, file)) || existsSync(join(root, 'tests', file))]).toEqual([file, true]);
  for (const [, script = ''] of readme.matchAll(/npm run ([a-z:]+)/g)) expect(Object.keys(manifest.scripts)).toContain(script);
  for (const [, command = ''] of readme.matchAll(/npm run portal -- ([a-z]+)/g))
    expect(existsSync(join(root, 'gateway/commands', `${command}.ts`))).toBe(true);
});
