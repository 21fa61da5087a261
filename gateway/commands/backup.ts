import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readSettings } from '#config/settings.ts';
import { writeBackup } from '#store/backup.ts';
import { readDataAsTheyAre, sayForeign } from '../installation.ts';
import { keyFile } from '../keys.ts';
import { type Command, CommandFault, exits, readArguments, type Surroundings } from './command.ts';
import { kindOf, nothingYet } from './workplace.ts';

export const backup: Command = {
  usage: ['backup <folder>'],
  notes: [
    'The folder must be empty or not there yet; only this user may read it. It holds personal data, password hashes and the session key.',
    'The gateway may run meanwhile. Settings, the catalogue and SESSION_KEYS are not in it: keep them with your configuration.',
  ],
  async run(args: string[], around: Surroundings) {
    const { positionals } = readArguments(args, {}, { least: 1, most: 1 });
    const [folder = ''] = positionals;
    const settings = readSettings(around.env);
    // Neither the catalogue nor the newest tables: what the running gateway lives with must not keep it from being saved.
    const manifest = await readDataAsTheyAre(settings, (db, began) => {
      if (began !== kindOf(settings)) throw new CommandFault(sayForeign(settings, began, kindOf(settings)));
      return writeBackup(db, folder, { now: around.now(), beside: [join(settings.dataDir, keyFile)].filter(existsSync) });
    });
    if (!manifest) throw nothingYet(settings);
    const rows = manifest.tables.reduce((sum, table) => sum + table.rows, 0);
    around.print(`Everything that is kept is in ${folder} now: ${rows} rows in ${manifest.tables.length} tables.`);
    return exits.fine;
  },
};
