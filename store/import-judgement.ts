import { faultOf, type ImportOutcome, type ImportResult, type ImportRow, subjectOf, wantsAdministrator } from './import-rows.ts';
import { holderKey, type ImportState, type KnownPerson } from './import-state.ts';
import { subjectKey } from './names.ts';
import { organisationDomain } from './rule-rows.ts';

type Numbered = { number: number; row: ImportRow };

/** What earlier rows of the same file have said; rows that contradict each other are for a human. */
export type Seen = {
  /** By source id the rows of one person, each for another organisation. */
  people: Map<string, Numbered[]>;
  /** By user ID or address the last row that gave it to somebody. */
  holders: Map<string, Numbered>;
  /** By code the last row with a name for it. */
  organisations: Map<string, Numbered>;
};

/** Before the first row. */
export const nothingSeen = (): Seen => ({ people: new Map(), holders: new Map(), organisations: new Map() });

const details = ['first_name', 'last_name', 'email', 'phone', 'user_id'] as const;
const sameDetails = (one: ImportRow, other: ImportRow) => details.every(name => one[name] === other[name]);
const sameRest = (one: ImportRow, other: ImportRow) =>
  one.job_role === other.job_role && wantsAdministrator(one) === wantsAdministrator(other);

const samePair = (row: ImportRow, seen: Seen): Numbered | undefined =>
  seen.people.get(row.source_id)?.find(before => before.row.organisation_code === row.organisation_code);

/** Who may hold a user ID or address once only: the one this row gives its person. */
export const signInOf = (row: ImportRow) => {
  const { provider, subject } = subjectOf(row);
  return holderKey(provider, subject);
};

function contradiction(row: ImportRow, signIn: string, seen: Seen): string | null {
  const person = seen.people.get(row.source_id)?.[0];
  if (person && !sameDetails(person.row, row)) return `Row ${person.number} gives this person other details.`;
  const holder = seen.holders.get(signIn);
  if (holder && holder.row.source_id !== row.source_id) return `Row ${holder.number} gives this user ID or email to another person.`;
  const organisation = seen.organisations.get(row.organisation_code);
  if (organisation && row.organisation_name !== '' && organisation.row.organisation_name !== row.organisation_name) {
    return `Row ${organisation.number} gives this organisation another name.`;
  }
  const pair = samePair(row, seen);
  if (pair && !sameRest(pair.row, row)) return `Row ${pair.number} says something else about this person in this organisation.`;
  return null;
}

function conflictOf(row: ImportRow, signIn: string, state: ImportState): string | null {
  const person = state.people.get(row.source_id);
  const holder = state.holders.get(signIn);
  // A name that comes back with another source id may be another human being; their rights must not pass on.
  if (holder !== undefined && holder !== person?.row.id) return 'The user ID or email belongs to a person with another source id.';
  // Giving them an e-mail sign-in as well would open a way around the directory's password.
  if (row.user_id === '' && person?.subjects.has('directory')) return 'The row has no user ID, but the person signs in with one.';
  if (person && person.row.active !== 1) return 'The person was deactivated.';
  if (state.organisations.get(row.organisation_code)?.closed) return 'The organisation is closed.';
  return null;
}

function remember(row: ImportRow, number: number, signIn: string, seen: Seen): void {
  const one = { number, row };
  const before = seen.people.get(row.source_id);
  if (before) before.push(one);
  else seen.people.set(row.source_id, [one]);
  seen.holders.set(signIn, one);
  if (row.organisation_name !== '') seen.organisations.set(row.organisation_code, one);
}

function differences(row: ImportRow, { row: person, subjects }: KnownPerson): string[] {
  const { provider, subject } = subjectOf(row);
  const held = subjects.get(provider);
  const pairs: [string, boolean][] = [
    ['first name', person.first_name !== row.first_name],
    ['last name', person.last_name !== row.last_name],
    ['email', (person.email ?? '') !== row.email],
    ['phone', (person.phone ?? '') !== row.phone],
    ['user ID', held === undefined || subjectKey(held.subject) !== subjectKey(subject)],
  ];
  return pairs.filter(([, differs]) => differs).map(([name]) => name);
}

function changesOf(row: ImportRow, state: ImportState): string[] {
  const organisation = state.organisations.get(row.organisation_code);
  const person = state.people.get(row.source_id);
  const changes = person ? differences(row, person) : [];
  if (organisation && row.organisation_name !== '' && organisation.name !== row.organisation_name) changes.push('organisation name');
  const membership = organisation && person?.memberships.get(organisation.id);
  if (membership?.removed !== 'no') changes.push('membership');
  else if ((membership.jobRole ?? '') !== row.job_role) changes.push('job role');
  return changes;
}

/** Says what becomes of a (trimmed) row, from what the store has and what the file said before. Writes nothing. */
export function judgeRow(row: ImportRow, number: number, state: ImportState, seen: Seen): ImportResult {
  const verdict = (outcome: ImportOutcome, reason: string | null = null): ImportResult => ({
    row: number,
    outcome,
    madeAdministrator: false,
    changes: [],
    reason,
  });
  const fault = faultOf(row);
  if (fault) return verdict('error', fault);
  const organisation = state.organisations.get(row.organisation_code);
  if (!organisation && row.organisation_name === '' && !seen.organisations.has(row.organisation_code)) {
    return verdict('error', 'organisation_name is missing, and the organisation is new.');
  }
  const signIn = signInOf(row);
  const conflict = contradiction(row, signIn, seen) ?? conflictOf(row, signIn, state);
  if (conflict) return verdict('conflict', conflict);
  const again = samePair(row, seen);
  if (again) return verdict('unchanged', `The same as row ${again.number}.`);
  const before = seen.people.has(row.source_id);
  remember(row, number, signIn, seen);
  const person = state.people.get(row.source_id);
  if (organisation && person?.memberships.get(organisation.id)?.removed === 'by-somebody') {
    return verdict('removed-by-administrator', 'Somebody removed this person from the organisation: an import does not bring them back.');
  }
  const administers = organisation && person?.administers.get(organisationDomain(organisation.id));
  const dismissed = wantsAdministrator(row) && administers === 'dismissed';
  const madeAdministrator = wantsAdministrator(row) && administers === undefined;
  const reason = dismissed ? 'Somebody ended this administrator: an import does not appoint them again.' : null;
  if (!person && !before) return { row: number, outcome: 'new', madeAdministrator, changes: [], reason };
  const changes = changesOf(row, state);
  const outcome = changes.length > 0 || madeAdministrator ? 'changed' : 'unchanged';
  return { row: number, outcome, madeAdministrator, changes, reason };
}
