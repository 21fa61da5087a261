import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { OperatorFault } from '#config/operator-fault.ts';
import type { Settings } from '#config/settings.ts';
import { appendedIn, type Entry } from '#store/activity.ts';
import { checkDataDir, lockDataDir, makeDataDir } from '#store/data-dir.ts';
import { databaseName, openStore, type Place, readAsItIs, type Store, type StoreOptions } from '#store/database.ts';
import { type Feed, startFeed } from '#store/feed.ts';
import { installationValue, rememberValue } from '#store/installation.ts';
import type { Reader } from '#store/tables.ts';
import { inProcessWakeUp, redisWakeUp, type WakeUp } from '#store/wake-up.ts';
import { type Keys, loadKeys } from './keys.ts';

/** What an installation keeps: its data folder, its store, its change feed and its keys. */
export type Installation = { store: Store; feed: Feed; keys: Keys; wakeUp: WakeUp; close(): Promise<void> };
export type InstallationKind = 'demo' | 'real';

export class InstallationFault extends OperatorFault {
  override name = 'InstallationFault';
}

type Options = {
  kind: InstallationKind;
  onError(error: unknown): void;
  /** Hears of every entry that this process has written, once it is committed. */
  onEntry?(entry: Entry): void;
};

/** Opens everything for a gateway, which must be the only one on its folder when the data is in it. */
export async function openInstallation(settings: Settings, { kind, onError, onEntry }: Options): Promise<Installation> {
  const lock = settings.databaseUrl ? null : lockDataDir(settings.dataDir);
  if (!lock) makeDataDir(settings.dataDir);
  const keys = loadKeys(settings);
  let feed: Feed | null = null;
  const store = await openFor(settings, kind, {
    onError,
    // The answer to a change is given when this process already judges by it, and the others have been told if that takes no longer.
    onChanged: async made => {
      const entries = appendedIn(made);
      const told = entries.length > 0 ? wakeUp.publish(entries) : null;
      if (onEntry) entries.forEach(onEntry);
      await Promise.all([feed?.catchUp(), told]);
    },
  });
  const wakeUp = settings.redisUrl ? redisWakeUp(settings.redisUrl, await databaseName(store.db), onError) : inProcessWakeUp();
  feed = await startFeed(store, { wakeUp, onError });
  return {
    store,
    feed,
    keys,
    wakeUp,
    async close() {
      await feed?.close();
      await wakeUp.close();
      await store.close();
      lock?.release();
    },
  };
}

/** Where SQLite keeps the data. */
export const databaseFile = ({ dataDir }: Settings): string => join(dataDir, 'portal.sqlite');

/** Where the data are. */
export const placeOf = (settings: Settings): Place =>
  settings.databaseUrl === null ? { file: databaseFile(settings) } : { url: settings.databaseUrl };

/** Opens the store of the settings, and refuses one that was begun as another kind of installation. */
export async function openFor(settings: Settings, kind: InstallationKind, options: StoreOptions = {}): Promise<Store> {
  const store = await openStore(placeOf(settings), options);
  const began = await rememberValue(store.db, 'kind', kind);
  if (began === kind) return store;
  await store.close();
  throw new InstallationFault(sayForeign(settings, began, kind));
}

/**
 * Reads the data without bringing tables up to date: the gateway that runs on them may be an older one. The work is told what they were
 * begun as. Undefined when none were begun yet.
 */
export async function readDataAsTheyAre<T>(settings: Settings, work: (db: Reader, began: string) => Promise<T>): Promise<T | undefined> {
  checkDataDir(settings.dataDir);
  if (settings.databaseUrl === null && !existsSync(databaseFile(settings))) return undefined;
  return readAsItIs(placeOf(settings), async db => {
    const tables = await db.introspection.getTables();
    const began = tables.some(({ name }) => name === 'installation') ? await installationValue(db, 'kind') : undefined;
    return began === undefined ? undefined : work(db, began);
  });
}

const kinds: Record<string, string> = { demo: 'the demo', real: 'a real installation' };

/** The words for what data were begun as. */
export const sayKind = (kind: string): string => kinds[kind] ?? kind;

/** The words for where data are: of a database's address only what holds no password is repeated. */
export function sayPlace({ databaseUrl, dataDir }: Settings): string {
  if (databaseUrl === null) return dataDir;
  const { host, pathname } = new URL(databaseUrl);
  return `the database ${host}${pathname}`;
}

/** What to do about data of another kind of installation. */
export function sayForeign(settings: Settings, began: string, kind: InstallationKind): string {
  const advice = settings.databaseUrl ? 'set DATABASE_URL to another database' : 'set DATA_DIR to another folder';
  return `The data in ${sayPlace(settings)} belongs to ${sayKind(began)} and cannot be used for ${sayKind(kind)}: ${advice}.`;
}
