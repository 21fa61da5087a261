import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { readSettings } from '#config/settings.ts';
import { lockDataDir } from '#store/data-dir.ts';
import { checkBackup, restoreBackup } from '#store/restore.ts';
import { placeOf, sayForeign } from '../installation.ts';
import { keyFile } from '../keys.ts';
import { type Command, CommandFault, exits, readArguments, type Surroundings } from './command.ts';
import { kindOf } from './workplace.ts';

export const restore: Command = {
  usage: ['restore <folder>'],
  notes: [
    'The data folder, or the database, must be empty, and no gateway may run: move the old one away first.',
    'Everybody is signed out; links and codes are void; messages that had not been sent are given up. The activity says so.',
  ],
  async run(args: string[], around: Surroundings) {
    const { positionals } = readArguments(args, {}, { least: 1, most: 1 });
    const [folder = ''] = positionals;
    const settings = readSettings(around.env);
    const manifest = await checkBackup(folder);
    if (manifest.kind !== kindOf(settings))
      throw new CommandFault(sayForeign({ ...settings, databaseUrl: null, dataDir: folder }, manifest.kind, kindOf(settings)));
    const lock = lockDataDir(settings.dataDir);
    try {
      const { sessions, links, messages } = await restoreBackup(placeOf(settings), folder, manifest, around.now());
      const [kept, key] = [join(folder, keyFile), join(settings.dataDir, keyFile)];
      if (existsSync(kept) && !existsSync(key)) copyFileSync(kept, key);
      const taken = new Date(manifest.takenAt).toISOString();
      around.print(
        `Restored as it was at ${taken}. Ended: ${sessions} sessions, ${links} links, ${messages} messages that had not been sent.`,
      );
      around.print('Changes made after that instant are gone: rights that were taken away since then are back.');
    } finally {
      lock.release();
    }
    return exits.fine;
  },
};
