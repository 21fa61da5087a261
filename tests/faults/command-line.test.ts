import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { columns } from '#gateway/commands/people-file.ts';
import { emptyPlace, jane, portal, productionCatalogue, root, run, writePeople } from '#tests/command-line-steps.ts';

const places: { dir: string }[] = [];
const newPlace = () => {
  const place = emptyPlace();
  places.push(place);
  return place;
};
afterEach(() => {
  for (const { dir } of places.splice(0)) rmSync(dir, { recursive: true, force: true });
});

test('the program answers on stdout and ends with the exit code of its command', async () => {
  const { env } = newPlace();
  const checked = await run(env, 'gateway/command-line.ts', ['check']);
  expect(checked).toMatchObject({ code: 0, err: '' });
  expect(checked.out).toMatch(/8 services .* 11 old addresses on 3 hosts/);
  expect(existsSync(env.DATA_DIR!)).toBe(false);
  const refused = await run(env, 'gateway/command-line.ts', ['subscribe', 'S1', 'efs']);
  expect(refused.code).toBe(1);
  expect(refused.out).toBe('');
  expect(refused.err).toMatch(/^There is no data in .* yet: import people, or set DATA_DIR .*\.\n$/);
});

test('a word that is no command gets the list of commands, and a failure', async () => {
  for (const word of ['imprt', 'toString', '']) {
    const { code, out, err } = await portal({}, [word]);
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(/^There is no command .*\n\nUsage: npm run portal -- <command>\n/);
    expect(err).toContain('  import     ');
  }
  expect(await portal({}, [])).toMatchObject({ code: 1, err: '' });
  expect(await portal({}, ['--help'])).toMatchObject({ code: 0, err: '' });
});

test.each([
  [['import']],
  [['import', 'a.csv', 'b.csv']],
  [['import', 'a.csv', '--aply']],
  [['subscribe', 'S1']],
  [['council']],
  [['council', 'constructor']],
  [['council', 'add', 'not an address']],
  [['council', 'add', 'a@x.example,b@x.example']],
  [['council', 'remove', 'a@x.example']],
  [['explain']],
  [['explain', '--url', 'www3.hants.gov.uk']],
  [['explain', '--url', 'https://www3.hants.gov.uk/efs', '--at', '2100-01-01T00:00:00Z']],
  [['explain', '--url', 'https://www3.hants.gov.uk/efs', '--person', 'X', '--at', '2001-01-01T00:00:00Z']],
  [['export', '--at', 'yesterday']],
])('called wrongly, %j says what is wrong in a sentence and how to call it', async args => {
  const { code, out, err } = await portal(newPlace().env, args);
  expect([code, out]).toEqual([1, '']);
  const [sentence, usage] = err.split('\n');
  expect(sentence).toMatch(/\.$/);
  expect(usage).toBe('Usage:');
  expect(err).not.toContain('    at ');
});

test('a command that is asked for help only says how to call it', async () => {
  const { code, out } = await portal({}, ['council', 'add', 'a@x.example', '--help']);
  expect(code).toBe(0);
  expect(out).toContain('npm run portal -- council remove');
  const help = (await portal({}, ['import', '--help'])).out;
  expect(help).toMatch(/^Import people from a CSV file/);
  expect(help).toContain(columns.join(', '));
});

test('without CATALOGUE, people and operators are refused: the demo brings its own', async () => {
  const { dir } = newPlace();
  const file = writePeople(dir, [jane]);
  for (const args of [
    ['import', file, '--apply'],
    ['council', 'add', 'a@x.example'],
    ['link', 'a@x.example'],
  ]) {
    const { code, err } = await portal({ DATA_DIR: join(dir, 'data') }, args);
    expect(code).toBe(1);
    expect(err).toMatch(/^Set CATALOGUE to the path of your services.yaml first: .*\.$/);
  }
  expect(existsSync(join(dir, 'data'))).toBe(false);
});

test('the data of the demo and of a real installation are never taken for each other', async () => {
  const { dir, env } = newPlace();
  const file = writePeople(dir, [jane]);
  expect((await portal(env, ['import', file, '--apply'])).code).toBe(0);
  const asDemo = { DATA_DIR: env.DATA_DIR! };
  const explained = await portal(asDemo, ['explain', '--url', 'http://www3.hants.localhost/efs']);
  expect(explained.code).toBe(1);
  expect(explained.err).toMatch(/^The data in .* belongs to a real installation and cannot be used for the demo: .*\.$/);
  const checked = await portal(asDemo, ['check']);
  expect(checked.code).toBe(1);
  expect(checked.err).toMatch(/^The data in .* belongs to a real installation and cannot be used for the demo: .*\.$/);
});

test('check names every fault at once: of the settings, of the catalogue with its line, of the folder', async () => {
  const { dir } = newPlace();
  const catalogue = join(dir, 'services.yaml');
  const text = readFileSync(join(root, productionCatalogue), 'utf8');
  writeFileSync(catalogue, text.replace('  - id: mopp', '  - idd: mopp').replace('whoMayGrant: council', 'whoMayGrant: nobody'));
  const wrong = await portal({ CATALOGUE: catalogue, PORT: 'eighty', SMTP_URL: 'mail.example', DATA_DIR: dir }, ['check']);
  expect(wrong.code).toBe(1);
  expect(wrong.err).toMatch(/PORT: .*\n.*SMTP_URL: /);
  expect(wrong.err).toMatch(new RegExp(`${catalogue}:\\d+: .*idd`));
  writeFileSync(join(dir, 'file'), '');
  const inFile = await portal({ CATALOGUE: productionCatalogue, DATA_DIR: join(dir, 'file') }, ['check']);
  expect(inFile).toMatchObject({ code: 1 });
  expect(inFile.err).toMatch(/^The folder .* cannot be written: .*\.$/);
});

test('check warns of a portal without https, but not of the demo', async () => {
  const { dir } = newPlace();
  const catalogue = join(dir, 'services.yaml');
  writeFileSync(catalogue, readFileSync(join(root, productionCatalogue), 'utf8').replace('https://portal.', 'http://portal.'));
  const checked = await portal({ CATALOGUE: catalogue, DATA_DIR: join(dir, 'data') }, ['check']);
  expect(checked).toMatchObject({ code: 0, err: '' });
  expect(checked.out).toMatch(/^ {2}Careful: the portal is at http, not https, .*\.$/m);
  for (const env of [newPlace().env, { DATA_DIR: join(dir, 'demo') }]) expect((await portal(env, ['check'])).out).not.toContain('Careful');
});

test('check brings no tables up to date and says so of a file that is no database', async () => {
  const { env } = newPlace();
  mkdirSync(env.DATA_DIR!);
  writeFileSync(join(env.DATA_DIR!, 'portal.sqlite'), '');
  expect((await portal(env, ['check'])).out).toContain('empty so far');
  writeFileSync(
    join(env.DATA_DIR!, 'portal.sqlite'),
    'not a database, whatever its name says, for longer than its header would be'.repeat(9),
  );
  const { code, err } = await portal(env, ['check']);
  expect([code, err]).toEqual([1, expect.stringMatching(/^The file .*portal\.sqlite is damaged or no database of ours: /)]);
});
