import { findIdentity } from '#store/identities.ts';
import { fullName } from '#store/names.ts';
import { person } from '#store/people.ts';
import { type Command, CommandFault, exits, readArguments, type Surroundings } from './command.ts';
import { makeLink, sayLink } from './handing-over.ts';
import { inWorkplace, type Workplace } from './workplace.ts';

/** For somebody whose link ran out or was lost, where no e-mail can bring them another. */
export const link: Command = {
  usage: ['link <email address>'],
  async run(args: string[], around: Surroundings) {
    const { positionals } = readArguments(args, {}, { least: 1, most: 1 });
    const [email = ''] = positionals;
    await inWorkplace(around, { kind: 'real', mayBegin: false }, place => printLink(place, email));
    return exits.fine;
  },
};

async function printLink({ store, settings, catalogue, now, print }: Workplace, email: string): Promise<void> {
  const identity = await findIdentity(store.db, 'local', email);
  const owner = identity && (await person(store.db, identity.person_id));
  if (!owner)
    throw new CommandFault(
      `Nobody signs in with the email address ${email}: check its spelling. Whoever has a user ID such as JSMITH12 has no password here.`,
    );
  if (owner.active !== 1) throw new CommandFault(`The account of ${fullName(owner)} has been deactivated.`);
  const made = await store.change(tx => makeLink(tx, { person: owner.id, settings, origin: catalogue.portal.origin, now: now() }));
  print(sayLink(fullName(owner), made));
  print('Earlier links of theirs no longer work.');
}
