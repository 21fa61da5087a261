import { toCsv } from '#policies/export.ts';
import { rulesAsOf } from '#store/rules.ts';
import { type Command, exits, readArguments, type Surroundings } from './command.ts';
import { readInstant } from './instant.ts';
import { inWorkplace } from './workplace.ts';

export const exportRules: Command = {
  usage: ['export [--at <instant, such as 2026-09-01T09:00:00Z>]'],
  async run(args: string[], around: Surroundings) {
    const { values } = readArguments(args, { at: { type: 'string' } }, { least: 0, most: 0 });
    const at = readInstant(values.at) ?? around.now();
    await inWorkplace(around, { kind: 'any', mayBegin: false }, async ({ store, print }) => {
      const csv = toCsv(await rulesAsOf(store.db, at), at);
      if (csv !== '') print(csv.trimEnd());
    });
    return exits.fine;
  },
};
