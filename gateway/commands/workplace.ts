import { existsSync } from 'node:fs';
import type { Catalogue } from '#config/catalogue.ts';
import { readCatalogue } from '#config/catalogue-file.ts';
import { readSettings, type Settings } from '#config/settings.ts';
import { makeDataDir } from '#store/data-dir.ts';
import type { Store } from '#store/database.ts';
import { databaseFile, type InstallationKind, openFor, sayPlace } from '../installation.ts';
import { CommandFault, type Surroundings } from './command.ts';

/** What a command works on: the same settings, catalogue and store as the gateway's, which may be running meanwhile. */
export type Workplace = Surroundings & { settings: Settings; catalogue: Catalogue; store: Store };

export type Needs = {
  /** 'real': people of one's own, so CATALOGUE must be set. 'any': the demo will do. */
  kind: 'real' | 'any';
  /** Whether the command may begin an empty installation. */
  mayBegin: boolean;
};

/**
 * Opens the workplace for one piece of work. It takes no lock on the data folder and wakes nobody: a running gateway looks for
 * changes every second.
 */
export async function inWorkplace<T>(around: Surroundings, needs: Needs, work: (place: Workplace) => Promise<T>): Promise<T> {
  const settings = readSettings(around.env);
  if (needs.kind === 'real' && settings.catalogue === null) {
    throw new CommandFault(
      'Set CATALOGUE to the path of your services.yaml first: without it this is the demo, which brings its own people.',
    );
  }
  const catalogue = await catalogueOf(settings);
  prepareFolder(settings, needs.mayBegin);
  const store = await openFor(settings, kindOf(settings), { alone: true });
  try {
    return await work({ ...around, settings, catalogue, store });
  } finally {
    await store.close();
  }
}

/** Without a catalogue it is the demo. */
export const kindOf = ({ catalogue }: Settings): InstallationKind => (catalogue === null ? 'demo' : 'real');

/** The catalogue the gateway would serve; the demo's is loaded only when there is no other. */
export async function catalogueOf({ catalogue, port }: Settings): Promise<Catalogue> {
  if (catalogue !== null) return readCatalogue(catalogue);
  const { demoCatalogue } = await import('#config/demo/catalogue.ts');
  // Its legacy server gets a port of its own whenever the demo starts; no command ever turns to it.
  return demoCatalogue(port, () => "the demo's legacy server");
}

function prepareFolder(settings: Settings, mayBegin: boolean): void {
  if (!mayBegin && settings.databaseUrl === null && !existsSync(databaseFile(settings))) throw nothingYet(settings);
  makeDataDir(settings.dataDir);
}

/** There are no data to work on, and what to do about it. */
export function nothingYet(settings: Settings): CommandFault {
  const first = settings.catalogue === null ? 'start the demo once (npm start)' : 'import people';
  const setting = settings.databaseUrl === null ? 'DATA_DIR to the folder' : 'DATABASE_URL to the database';
  return new CommandFault(`There is no data in ${sayPlace(settings)} yet: ${first}, or set ${setting} that has them.`);
}
