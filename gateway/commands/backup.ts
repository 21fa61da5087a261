import { copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { writeBackup } from '#store/backup.ts';
import { keyFile } from '../keys.ts';
import { type Command, exits, readArguments, type Surroundings } from './command.ts';
import { inWorkplace } from './workplace.ts';

export const backup: Command = {
  usage: ['backup <folder>'],
  notes: [
    'The folder must be empty or not there yet; only this user may read it. It holds personal data, password hashes and the session key.',
    'The gateway may run meanwhile. Settings, the catalogue and SESSION_KEYS are not in it: keep them with your configuration.',
  ],
  async run(args: string[], around: Surroundings) {
    const { positionals } = readArguments(args, {}, { least: 1, most: 1 });
    const [folder = ''] = positionals;
    await inWorkplace(around, { kind: 'any', mayBegin: false }, async ({ store, settings, now, print }) => {
      const { tables } = await writeBackup(store.db, folder, now());
      const key = join(settings.dataDir, keyFile);
      if (existsSync(key)) copyFileSync(key, join(folder, keyFile));
      const rows = tables.reduce((sum, table) => sum + table.rows, 0);
      print(`Everything that is kept is in ${folder} now: ${rows} rows in ${tables.length} tables.`);
    });
    return exits.fine;
  },
};
