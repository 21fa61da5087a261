import { fullName } from '#store/names.ts';
import { type FoundPerson, searchPeople } from '#store/people-search.ts';
import { type Command, exits, readArguments, type Surroundings } from './command.ts';
import { inWorkplace } from './workplace.ts';

const shown = 25;

export const people: Command = {
  usage: ['people <words of a name, a user ID or an email address>'],
  async run(args: string[], around: Surroundings) {
    const { positionals } = readArguments(args, {}, { least: 1, most: Number.POSITIVE_INFINITY });
    const search = positionals.join(' ');
    await inWorkplace(around, { kind: 'any', mayBegin: false }, async ({ store, print }) => {
      const found = await searchPeople(store.db, search, shown);
      for (const person of found.people) print(sayPerson(person));
      if (found.total === 0) print(`No one matches "${search}".`);
      if (found.total > shown) print(`These are ${shown} of ${found.total}: add a word to see fewer.`);
    });
    return exits.fine;
  },
};

function sayPerson({ email, active, organisations, ...name }: FoundPerson): string {
  const where = organisations.map(organisation => `${organisation.name} (${organisation.code})`).join(', ');
  return [
    fullName(name),
    email ?? 'no email address',
    where || 'in no organisation',
    ...(active === 1 ? [] : ['account deactivated']),
  ].join('; ');
}
