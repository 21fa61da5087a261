import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import type { Catalogue } from '#config/catalogue.ts';
import { catalogueText, parseCatalogue } from '#config/catalogue-file.ts';
import { OperatorFault } from '#config/operator-fault.ts';

/**
 * A catalogue with the checksum of the text it was made of: of two gateways with the same one, both serve the same. `look` is how the
 * file looked before it was read, so that no change can fall between the two.
 */
export type ReadCatalogue = { catalogue: Catalogue; checksum: string; look: string };

/** Reads and checks a services.yaml, and the certificates it names. Throws CatalogueFault. */
export function openCatalogue(file: string): ReadCatalogue {
  const look = lookOf(file);
  const text = catalogueText(file);
  return { catalogue: parseCatalogue(text, file), checksum: createHash('sha256').update(text).digest('hex').slice(0, 16), look };
}

export type Reloading = {
  /** Reads the file again, now; called at SIGHUP. Never rejects: a file that cannot be used changes nothing but the log and `state`. */
  reload(): Promise<void>;
  state(): { well: boolean; at: number; checksum: string };
  close(): Promise<void>;
};

/** For a catalogue that stands in no file, such as the demo's. */
export function fixedCatalogue({ checksum }: Omit<ReadCatalogue, 'look'>, now: () => number): Reloading {
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
  let closed = false;
  // By its look alone: an editor or a deployment puts another file in its place, which a watch on the old one never hears of.
  let taken = began.look;
  let seen = began.look;

  async function read(): Promise<void> {
    if (closed) return;
    taken = lookOf(file);
    try {
      const { catalogue, checksum } = openCatalogue(file);
      await take(catalogue);
      state = { well: true, at: now(), checksum };
      log.info({ file, checksum }, 'the service catalogue was read again and is served now');
    } catch (error) {
      state = { ...state, well: false };
      const why = error instanceof OperatorFault ? { faults: error.faults ?? [error.message] } : { err: error };
      log.error({ ...why, serving: state.checksum }, 'the service catalogue cannot be used; the one before goes on being served');
    }
  }
  const reload = () => {
    running = running.then(read);
    return running;
  };

  const look = async () => {
    // A reading that waits for its turn takes the change that is seen here.
    await running;
    const now = lookOf(file);
    const still = now === seen;
    seen = now;
    if (still && now !== taken) await reload();
  };
  let looking = look();
  const timer = setInterval(() => {
    looking = looking.then(look);
  }, everyMs).unref();

  return {
    reload,
    state: () => state,
    async close() {
      closed = true;
      clearInterval(timer);
      await looking;
      await running;
    },
  };
}

/** What of a file changes with every change; a text of its own when there is none. */
function lookOf(file: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(file);
    return `${ino} ${size} ${mtimeMs}`;
  } catch {
    return 'none';
  }
}
