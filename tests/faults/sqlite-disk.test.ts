import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, expect, test, vi } from 'vitest';
import { verifyChain } from '#store/activity.ts';
import { run } from '#tests/command-line-steps.ts';
import { type Fleet, startFleet } from '#tests/fleet.ts';
import { freePort } from '#tests/free-port.ts';
import { type Cast, enterCast } from './cast.ts';
import { sayProbe, startProbe } from './probe.ts';
import { accessOf, lookIntoFile } from './saved-rounds.ts';

const DISK_MB = 32;
const patience = { timeout: 60_000, interval: 50 };
vi.setConfig({ testTimeout: 180_000 });

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function newFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'portal-disk-'));
  closing.push(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** A small disk of its own, where this user may have one. */
function mountDisk(): string | null {
  const dir = newFolder();
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MB}m`, 'tmpfs', dir], { stdio: 'ignore' }).status !== 0) return null;
  closing.push(() => execFileSync('umount', ['--lazy', dir]));
  return dir;
}
const mayMount = (() => {
  const dir = mountDisk();
  for (const close of closing.splice(0).reverse()) void close();
  return dir !== null;
})();

type Scene = { at: Fleet; cast: Cast; dataDir: string; file: string };

async function setTheScene(disk: string): Promise<Scene> {
  const dataDir = join(disk, 'data');
  const at = await startFleet(1, { DATA_DIR: dataDir });
  closing.push(at.stop);
  return { at, dataDir, file: join(dataDir, 'portal.sqlite'), cast: await enterCast(at) };
}

/** What goes wrong begins, and a way to end it is returned. */
type Fault = (scene: Scene) => () => void;

const fillDisk: Fault = ({ dataDir }) => {
  const filler = join(dataDir, '..', 'filler');
  const descriptor = openSync(filler, 'w');
  const end = () => {
    closeSync(descriptor);
    rmSync(filler);
  };
  for (let size = 1 << 20; size > 0; )
    try {
      writeSync(descriptor, Buffer.alloc(size));
    } catch {
      size >>= 1;
    }
  return end;
};

const limitFiles: Fault = ({ at, file }) => {
  const set = (limit: string) => execFileSync('prlimit', ['--pid', String(at.members[0]!.gateway.pid), `--fsize=${limit}:`]);
  set(String(Math.min(statSync(file).size, statSync(`${file}-wal`).size)));
  return () => set('unlimited');
};

const holdLock: Fault = ({ file }) => {
  const other = new DatabaseSync(file, { timeout: 5_000 });
  // The gateway writes of its own accord as well.
  other.exec('begin immediate');
  return () => {
    other.exec('rollback');
    other.close();
  };
};

const faults: { what: string; begin: Fault; numbers: string }[] = [
  { what: 'writing fails', begin: limitFiles, numbers: '[fault 9]' },
  { what: 'somebody else holds the lock', begin: holdLock, numbers: '[fault 9]' },
  ...(mayMount ? [{ what: 'the disk is full', begin: fillDisk, numbers: '[fault 9] [fault 15]' }] : []),
];

test.each(faults)('$what: changes are refused in words, pages go on, and nothing is damaged $numbers', async ({ what, begin }) => {
  const scene = await setTheScene(mayMount ? mountDisk()! : newFolder());
  const { at, cast, file } = scene;
  const look = lookIntoFile(file);
  const [ken] = await look("select person_id from identities where subject = 'KEN144'");
  const probe = startProbe([cast.asks(at.port, '/trailblazer/')], [cast.asks(at.port, '/efs/')]);
  const form = await cast.admin.get(cast.page);
  const before = await accessOf(look, Number(ken?.person_id));
  const activity = async () => (await look('select count(*) as entries from activity'))[0]?.entries;
  const entries = await activity();
  const end = begin(scene);
  try {
    const began = performance.now();
    const save = () => cast.admin.submit(cast.page, form, { services: ['mopp'] }, { follow: false });
    for (const refused of await Promise.all([save(), save(), save()])) {
      expect([refused.status, refused.headers['retry-after']]).toEqual([503, '5']);
      expect(refused.body).toContain('We cannot read or save anything at the moment.');
    }
    // Each is patient for five seconds from when it was asked, not from when the one before it gave up.
    expect(performance.now() - began).toBeLessThan(9_000);
    expect([await accessOf(look, Number(ken?.person_id)), await activity()]).toEqual([before, entries]);
    const asked = probe.asked.length;
    await expect.poll(() => probe.asked.length, patience).toBeGreaterThan(asked + 20);
  } finally {
    end();
  }
  await expect.poll(async () => (await cast.save(['mopp'])).status, patience).toBe(303);
  await probe.stop();
  console.log(`${what}: ${sayProbe(probe)}`);
  expect(probe.wrongAllows()).toEqual([]);
  expect(probe.failures().filter(({ got }) => got !== 403)).toEqual([]);
  expect(await look('pragma integrity_check')).toEqual([{ integrity_check: 'ok' }]);
  expect((await verifyChain(at.store.db)).broken).toBeNull();
});

test.runIf(mayMount)('a disk that can only be read is named at the start [fault 9]', async () => {
  const dir = mountDisk()!;
  mkdirSync(join(dir, 'data'));
  execFileSync('mount', ['-o', 'remount,ro', dir]);
  const { code, err } = await run({ PORT: String(await freePort()), DATA_DIR: join(dir, 'data') }, 'gateway/main.ts');
  expect(code).toBe(1);
  expect(err.trim().split('\n')).toHaveLength(1);
  expect(err).toContain(join(dir, 'data'));
});
