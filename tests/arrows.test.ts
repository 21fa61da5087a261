import { globSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const rooms = ['config', 'store', 'policies', 'notify', 'views', 'admin-ui', 'gateway'] as const;
type Room = (typeof rooms)[number];

/** Which rooms each may use. Nothing else, and never the other way round. */
const mayUse: Record<Room, readonly Room[]> = {
  config: [],
  store: ['config'],
  policies: [],
  notify: ['store', 'config'],
  views: ['config'],
  'admin-ui': ['policies', 'notify', 'views', 'store', 'config'],
  gateway: ['admin-ui', 'policies', 'notify', 'views', 'store', 'config'],
};

type Import = { from: string; to: string; dynamic: boolean; typeOnly: boolean };

/** Every import of a file: ours as a path from the root, others by the name of the package. */
function importsOf(from: string, text: string): Import[] {
  const said = /(?:^|\n)\s*(?:import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s*)?'([^']+)'|\b(import)\(\s*'([^']+)'/g;
  return [...text.matchAll(said)].map(([, typeOnly, statically, dynamic, lazily]) => {
    const name = statically ?? lazily ?? '';
    const to = name.startsWith('#') ? name.slice(1) : name.startsWith('.') ? posix.join(posix.dirname(from), name) : name;
    return { from, to, dynamic: dynamic !== undefined, typeOnly: typeOnly !== undefined };
  });
}

const files = globSync(`{${rooms.join(',')}}/**/*.{ts,mjs}`, { cwd: root }).map(file => file.replaceAll('\\', '/'));
const imports = files.flatMap(file => importsOf(file, readFileSync(posix.join(root, file), 'utf8')));
const ofOurs = imports.filter(({ to }) => /\.(?:ts|mjs)$/.test(to));
const roomOf = (file: string) => file.split('/', 1)[0] as Room;
const arrow = ({ from, to }: Import) => `${from} → ${to}`;

describe('arrows run one way', () => {
  test('every way of writing an import is seen', () => {
    const text = `import a from './a.ts';\nimport type { B } from '#store/b.ts';\nexport { c } from '../c.ts';\nimport 'd';\nimport {\n  e,\n  type F,\n} from '#views/e.ts';\nconst g = await import('./g.ts');`;
    expect(importsOf('gateway/sign-in/x.ts', text).map(({ to }) => to)).toEqual([
      'gateway/sign-in/a.ts',
      'store/b.ts',
      'gateway/c.ts',
      'd',
      'views/e.ts',
      'gateway/sign-in/g.ts',
    ]);
    expect(ofOurs.length).toBeGreaterThan(300);
  });

  test.each(rooms)('%s uses only the rooms below it', room => {
    const own = ofOurs.filter(({ from }) => roomOf(from) === room);
    expect(own.filter(({ to }) => roomOf(to) !== room && !mayUse[room].includes(roomOf(to))).map(arrow)).toEqual([]);
  });

  test('no file leads back to itself', () => {
    let left = ofOurs;
    // An arrow from where none ends, or to where none begins, is part of no circle: such arrows are taken away until none is left.
    for (let before = Number.NaN; before !== left.length; ) {
      before = left.length;
      const [starts, ends] = [new Set(left.map(({ from }) => from)), new Set(left.map(({ to }) => to))];
      left = left.filter(({ from, to }) => ends.has(from) && starts.has(to));
    }
    expect(left.map(arrow)).toEqual([]);
  });

  test('every import of ours leads to a file of a room', () => {
    expect(ofOurs.filter(({ to }) => !files.includes(to)).map(arrow)).toEqual([]);
  });

  test('policies know Casbin and nothing of the web or of databases', () => {
    const packages = imports.filter(({ from, to }) => roomOf(from) === 'policies' && !/\.(?:ts|mjs)$/.test(to)).map(({ to }) => to);
    expect(packages.filter(name => name !== 'casbin' && !/^node:(?:fs|url|path)$/.test(name))).toEqual([]);
  });

  test('only the gateway and its scopes know Fastify’s server; only the store knows databases', () => {
    const users = (name: RegExp) =>
      new Set(imports.filter(({ to, typeOnly }) => name.test(to) && !typeOnly).map(({ from }) => roomOf(from)));
    expect([...users(/^fastify$/)]).toEqual(['gateway']);
    expect([...users(/^(?:pg|node:sqlite|ioredis)$/)]).toEqual(['store']);
  });
});

describe('the demo', () => {
  const isDemo = (file: string) => /^(?:config\/demo\/|gateway\/demo[-.]|notify\/demo\.)/.test(file);

  test('is loaded in two places, and only when there is no catalogue', () => {
    const ways = ofOurs.filter(({ from, to }) => isDemo(to) && !isDemo(from));
    expect(ways.every(({ dynamic }) => dynamic)).toBe(true);
    expect([...new Set(ways.map(arrow))].sort()).toEqual([
      'gateway/commands/workplace.ts → config/demo/catalogue.ts',
      'gateway/main.ts → gateway/demo.ts',
    ]);
  });

  test('is put together in gateway/demo.ts', () => {
    const across = ofOurs.filter(({ from, to, typeOnly }) => isDemo(to) && isDemo(from) && roomOf(from) !== roomOf(to) && !typeOnly);
    expect([...new Set(across.map(({ from }) => from))]).toEqual(['gateway/demo.ts']);
  });
});

test('the process and its environment are read in few places', () => {
  const readers = files.filter(file => /\bprocess\.(?:env|exit|argv)\b/.test(readFileSync(posix.join(root, file), 'utf8')));
  expect(readers.filter(file => !/^gateway\/(?:main|command-line)\.ts$|^config\/(?:check|link)-node\.mjs$/.test(file))).toEqual([]);
});
