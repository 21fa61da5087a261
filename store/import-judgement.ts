import { faultOf, type ImportOutcome, type ImportResult, type ImportRow, subjectOf, wantsAdministrator } from './import-rows.ts';
import { holderKey, type ImportState, type KnownPerson } from './import-state.ts';
import { subjectKey } from './names.ts';
import { organisationDomain } from './rule-rows.ts';

/** What earlier rows of the same file have said; rows that contradict each other are for a human. */
export type Seen = {
  people: Map<string, { row: number; details: string }>;
  holders: Map<string, { row: number; sourceId: string }>;
  organisations: Map<string, { row: number; name: string }>;
  pairs: Map<string, { row: number; rest: string }>;
};

/** Before the first row. */
export const nothingSeen = (): Seen => ({ people: new Map(), holders: new Map(), organisations: new Map(), pairs: new Map() });

const detailsOf = (row: ImportRow) => JSON.stringify([row.first_name, row.last_name, row.email, row.phone, row.user_id]);
const restOf = (row: ImportRow) => JSON.stringify([wantsAdministrator(row), row.job_role]);
const pairOf = (row: ImportRow) => JSON.stringify([row.source_id, row.organisation_code]);
/** Who may hold a user ID or address once only: the one this row gives its person. */
export const signInOf = (row: ImportRow) => {
  const { provider, subject } = subjectOf(row);
  return holderKey(provider, subject);
};

function contradiction(row: ImportRow, seen: Seen): string | null {
  const person = seen.people.get(row.source_id);
  if (person && person.details !== detailsOf(row)) return `Row ${person.row} gives this person other details.`;
  const holder = seen.holders.get(signInOf(row));
  if (holder && holder.sourceId !== row.source_id) return `Row ${holder.row} gives this user ID or email to another person.`;
  const organisation = seen.organisations.get(row.organisation_code);
  if (organisation && row.organisation_name !== '' && organisation.name !== row.organisation_name) {
    return `Row ${organisation.row} gives this organisation another name.`;
  }
  const pair = seen.pairs.get(pairOf(row));
  if (pair && pair.rest !== restOf(row)) return `Row ${pair.row} says something else about this person in this organisation.`;
  return null;
}

function conflictOf(row: ImportRow, state: ImportState): string | null {
  const person = state.people.get(row.source_id);
  const holder = state.holders.get(signInOf(row));
  // A name that comes back with another source id may be another human being; their rights must not pass on.
  if (holder !== undefined && holder !== person?.row.id) return 'The user ID or email belongs to a person with another source id.';
  // Giving them an e-mail sign-in as well would open a way around the directory's password.
  if (row.user_id === '' && person?.subjects.has('directory')) return 'The row has no user ID, but the person signs in with one.';
  if (person && person.row.active !== 1) return 'The person was deactivated.';
  if (state.organisations.get(row.organisation_code)?.closed) return 'The organisation is closed.';
  return null;
}

function remember(row: ImportRow, number: number, seen: Seen): void {
  if (!seen.people.has(row.source_id)) seen.people.set(row.source_id, { row: number, details: detailsOf(row) });
  seen.holders.set(signInOf(row), { row: number, sourceId: row.source_id });
  seen.pairs.set(pairOf(row), { row: number, rest: restOf(row) });
  if (row.organisation_name !== '') seen.organisations.set(row.organisation_code, { row: number, name: row.organisation_name });
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
  const conflict = contradiction(row, seen) ?? conflictOf(row, state);
  if (conflict) return verdict('conflict', conflict);
  const again = seen.pairs.get(pairOf(row));
  if (again) return verdict('unchanged', `The same as row ${again.row}.`);
  const before = seen.people.has(row.source_id);
  remember(row, number, seen);
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
