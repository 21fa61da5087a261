import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import type { Catalogue } from '#config/catalogue.ts';
import { catalogueText, parseCatalogue } from '#config/catalogue-file.ts';
import { OperatorFault } from '#config/operator-fault.ts';

/** A catalogue with the checksum of the text it was made of: of two gateways with the same one, both serve the same. */
export type ReadCatalogue = { catalogue: Catalogue; checksum: string };

/** Reads and checks a services.yaml, and the certificates it names. Throws CatalogueFault. */
export function openCatalogue(file: string): ReadCatalogue {
  const text = catalogueText(file);
  return { catalogue: parseCatalogue(text, file), checksum: createHash('sha256').update(text).digest('hex').slice(0, 16) };
}

export type Reloading = {
  /** Reads the file again, now; called at SIGHUP. Never rejects: a file that cannot be used changes nothing but the log and `state`. */
  reload(): Promise<void>;
  state(): { well: boolean; at: number; checksum: string };
  close(): Promise<void>;
};

/** For a catalogue that stands in no file, such as the demo's. */
export function fixedCatalogue({ checksum }: ReadCatalogue, now: () => number): Reloading {
  const state = { well: true, at: now(), checksum };
  return { reload: async () => {}, state: () => state, close: async () => {} };
}

type ReloadingDeps = {
  file: string;
  began: ReadCatalogue;
  /** Throws an OperatorFault for a catalogue that is right in itself and cannot be had here. */
  take(catalogue: Catalogue): Promise<void>;
  now: () => number;
  log: { info(fields: object, message: string): void; error(fields: object, message: string): void };
  everyMs?: number;
};

/** Follows the catalogue's file: looked at every second, and read again once it has changed and then kept still for as long. */
export function followCatalogue({ file, began, take, now, log, everyMs = 1_000 }: ReloadingDeps): Reloading {
  let state = { well: true, at: now(), checksum: began.checksum };
  let running = Promise.resolve();

  async function read(): Promise<void> {
    try {
      const { catalogue, checksum } = openCatalogue(file);
      await take(catalogue);
      state = { well: true, at: now(), checksum };
      log.info({ file, checksum }, 'the service catalogue was read again and is served now');
    } catch (error) {
      state = { ...state, well: false };
      const why =
        error instanceof OperatorFault
          ? {
              faults: error.message
                .split('\n')
                .slice(1)
                .map(line => line.trim()),
            }
          : { err: error };
      log.error({ ...why, serving: state.checksum }, 'the service catalogue cannot be used; the one before goes on being served');
    }
  }
  const reload = () => {
    running = running.then(read);
    return running;
  };

  // By its look alone: an editor or a deployment puts another file in its place, which a watch on the old one never hears of.
  let seen = '';
  let taken: string | null = null;
  const look = async () => {
    const now = await lookOf(file);
    taken ??= now;
    const still = now === seen;
    seen = now;
    if (!still || now === taken) return;
    taken = now;
    await reload();
  };
  let looking = look();
  const timer = setInterval(() => {
    looking = looking.then(look);
  }, everyMs).unref();

  return {
    reload,
    state: () => state,
    async close() {
      clearInterval(timer);
      await looking;
      await running;
    },
  };
}

/** What of a file changes with every change; a text of its own when there is none. */
async function lookOf(file: string): Promise<string> {
  try {
    const { ino, size, mtimeMs } = await stat(file);
    return `${ino} ${size} ${mtimeMs}`;
  } catch {
    return 'none';
  }
}
