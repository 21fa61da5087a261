import { append } from '#store/activity.ts';
import type { Change } from '#store/database.ts';
import { isEmailAddress } from '#store/email-address.ts';
import { addIdentity, findIdentity } from '#store/identities.ts';
import { cancelLinks } from '#store/links.ts';
import { fullName } from '#store/names.ts';
import { addPerson, person } from '#store/people.ts';
import { councilOperators } from '#store/rights.ts';
import { giveCouncilRole, takeCouncilRole } from '#store/rules.ts';
import { endSessions } from '#store/sessions.ts';
import type { PersonRow } from '#store/tables.ts';
import { type Command, CommandFault, exits, readArguments, type Surroundings, UsageFault } from './command.ts';
import { makeLink, sayLink } from './handing-over.ts';
import { inWorkplace, type Workplace } from './workplace.ts';

export const council: Command = {
  usage: [
    'council add <email address> [--first-name <name>] [--last-name <name>]',
    'council list',
    'council remove <email address> --reason <why>',
  ],
  async run([what, ...args]: string[], around: Surroundings) {
    const does = new Map([
      ['add', add],
      ['list', list],
      ['remove', remove],
    ]).get(what ?? '');
    if (!does) throw new UsageFault(what === undefined ? 'Something is missing.' : `"council ${what}" is not known.`);
    await does(args, around);
    return exits.fine;
  },
};

const names = { 'first-name': { type: 'string' }, 'last-name': { type: 'string' } } as const;

async function add(args: string[], around: Surroundings): Promise<void> {
  const { values, positionals } = readArguments(args, names, { least: 1, most: 1 });
  const [email = ''] = positionals.map(text => text.trim());
  if (!isEmailAddress(email)) throw new UsageFault(`"${email}" is not one email address.`);
  const [mailbox = ''] = email.split('@', 1);
  const named = { firstName: values['first-name']?.trim() || mailbox, lastName: values['last-name']?.trim() ?? '' };
  await inWorkplace(around, { kind: 'real', mayBegin: true }, async ({ store, settings, catalogue, now, print }) => {
    const at = now();
    const { operator, began, link } = await store.change(async tx => {
      const someone = await operatorOf(tx, email, named, at);
      const given = await giveCouncilRole(tx, { person: someone.id, by: null, now: at });
      if (given) await append(tx, { at, kind: 'council-role-given', person: someone.id, text: { person: fullName(someone) } });
      const fresh = await makeLink(tx, { person: someone.id, settings, origin: catalogue.portal.origin, now: at });
      return { operator: someone, began: given, link: fresh };
    });
    const name = fullName(operator);
    print(
      began
        ? `${name} (${email}) is a council operator now.`
        : `${name} (${email}) was a council operator already; earlier links no longer work.`,
    );
    print(sayLink(name, link));
  });
}

/** The person who signs in with this address, made if there is none. Names are only used for a new person. */
async function operatorOf(tx: Change, email: string, named: { firstName: string; lastName: string }, now: number): Promise<PersonRow> {
  const identity = await findIdentity(tx, 'local', email);
  const known = identity && (await person(tx, identity.person_id));
  if (known?.active === 0) throw new CommandFault(`The account of ${fullName(known)} has been deactivated.`);
  if (known) return known;
  const id = await addPerson(tx, { ...named, email, now });
  await addIdentity(tx, { person: id, kind: 'registered', subject: email, now });
  const made = await person(tx, id);
  if (!made) throw new Error('the person just added is not there');
  await append(tx, { at: now, kind: 'person-added', person: id, text: { person: fullName(made) } });
  return made;
}

async function list(args: string[], around: Surroundings): Promise<void> {
  readArguments(args, {}, { least: 0, most: 0 });
  await inWorkplace(around, { kind: 'any', mayBegin: false }, async ({ store, print }) => {
    const operators = await councilOperators(store.db);
    for (const operator of operators) {
      const standing = operator.active === 1 ? '' : ' (account deactivated)';
      print(`${fullName(operator)}, ${operator.email ?? 'no email address'}${standing}`);
    }
    if (operators.length === 0) print('Nobody is a council operator.');
  });
}

async function remove(args: string[], around: Surroundings): Promise<void> {
  const { values, positionals } = readArguments(args, { reason: { type: 'string' } }, { least: 1, most: 1 });
  const [email = ''] = positionals;
  const reason = values.reason?.trim();
  if (!reason) throw new UsageFault('--reason is missing.');
  await inWorkplace(around, { kind: 'real', mayBegin: false }, place => takeRole(place, email, reason));
}

async function takeRole({ store, now, print }: Workplace, email: string, reason: string): Promise<void> {
  const at = now();
  const identity = await findIdentity(store.db, 'local', email);
  const operator = identity && (await person(store.db, identity.person_id));
  const nobody = new CommandFault(`${email} is not a council operator: npm run portal -- council list shows who is.`);
  if (!operator) throw nobody;
  const left = await store.change(async tx => {
    if (!(await takeCouncilRole(tx, { person: operator.id, by: null, now: at }))) throw nobody;
    await append(tx, { at, kind: 'council-role-taken', person: operator.id, text: { person: fullName(operator), reason } });
    await cancelLinks(tx, { people: [operator.id], now: at });
    await endSessions(tx, { person: operator.id }, { reason: 'council-role-taken', by: null, now: at });
    return (await councilOperators(tx)).length;
  });
  print(`${fullName(operator)} (${email}) is no longer a council operator, and is signed out.`);
  if (left === 0) print('Nobody is a council operator now.');
}
