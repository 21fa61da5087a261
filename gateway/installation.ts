import { join } from 'node:path';
import type { Settings } from '#config/settings.ts';
import { openStore, type Store } from '#store/database.ts';
import { type Feed, startFeed } from '#store/feed.ts';
import { rememberValue } from '#store/installation.ts';
import { lockDataDir } from '#store/lock.ts';
import { inProcessWakeUp, redisWakeUp } from '#store/wake-up.ts';
import { type Keys, loadKeys } from './keys.ts';

/** What an installation keeps: its data folder for itself, its store, its change feed and its keys. */
export type Installation = { store: Store; feed: Feed; keys: Keys; close(): Promise<void> };
export type InstallationKind = 'demo' | 'real';

export class InstallationFault extends Error {
  override name = 'InstallationFault';
}

type Options = { kind: InstallationKind; now: () => number; onError(error: unknown): void };

/** Opens everything for a gateway, which must be the only one on its data folder. */
export async function openInstallation(settings: Settings, { kind, now, onError }: Options): Promise<Installation> {
  const lock = await lockDataDir(settings.dataDir);
  const keys = loadKeys(settings);
  const wakeUp = settings.redisUrl ? redisWakeUp(settings.redisUrl, onError) : inProcessWakeUp();
  let feed: Feed | null = null;
  const store = await openFor(settings, kind, {
    now,
    onError,
    // The answer to a change is given when this process already judges by it; the others are woken and not waited for.
    onChanged: async () => {
      wakeUp.publish();
      await feed?.catchUp();
    },
  });
  feed = await startFeed(store, { wakeUp, onError });
  return {
    store,
    feed,
    keys,
    async close() {
      await feed?.close();
      await wakeUp.close();
      await store.close();
      lock.release();
    },
  };
}

/** Opens the store of the settings, and refuses one that was begun as another kind of installation. */
export async function openFor(settings: Settings, kind: InstallationKind, options: Parameters<typeof openStore>[1]): Promise<Store> {
  const store = await openStore(
    settings.databaseUrl ? { url: settings.databaseUrl } : { file: join(settings.dataDir, 'portal.sqlite') },
    options,
  );
  const began = await rememberValue(store.db, 'kind', kind);
  if (began === kind) return store;
  await store.close();
  const [was, is] = began === 'demo' ? ['the demo', 'a real installation'] : ['a real installation', 'the demo'];
  throw new InstallationFault(
    `The data in ${settings.dataDir} belongs to ${was} and cannot be used for ${is}: set DATA_DIR to another folder.`,
  );
}
