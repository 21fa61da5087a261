import type { Change } from '#store/database.ts';
import { applyImport, type ImportProgress, planImport } from '#store/import-people.ts';
import { type ImportOutcome, type ImportResult, type ImportRow, trimRow } from '#store/import-rows.ts';
import { fullName } from '#store/names.ts';
import { setPasswordAddress } from '../addresses.ts';
import { loadKeys } from '../keys.ts';
import { type Command, type Exit, exits, readArguments, type Surroundings } from './command.ts';
import { makeLinks, sayLink } from './handing-over.ts';
import { columns, firstRow, type PeopleFile, readPeopleFile } from './people-file.ts';
import { inWorkplace, type Workplace } from './workplace.ts';

export const importPeople: Command = {
  usage: ['import <people.csv>', 'import <people.csv> --apply'],
  notes: [
    '',
    'The file is UTF-8, and its first row names the columns:',
    `  ${columns.join(', ')}`,
    'administrator is yes or no. user_id may be empty: such people choose a password and sign in with their email address.',
  ],
  async run(args: string[], around: Surroundings) {
    const { values, positionals } = readArguments(args, { apply: { type: 'boolean', default: false } }, { least: 1, most: 1 });
    const [path = ''] = positionals;
    const file = readPeopleFile(path);
    return inWorkplace(around, { kind: 'real', mayBegin: true }, async place => {
      const at = place.now();
      const organisations = await place.store.db.selectFrom('organisations').select('code').execute();
      const results = values.apply ? await apply(place, file, at) : await plan(place, file, at);
      const seen = results.filter(({ row }) => !file.blank.has(row));
      report(place, path, file, seen);
      sayNewOrganisations(place, file, seen, new Set(organisations.map(({ code }) => code)));
      if (!values.apply) place.print('This was a dry run and nothing was changed: add --apply to do it.');
      else if (place.settings.smtpUrl === null) await handOverLinks(place, file, seen, at);
      return exitOf(seen);
    });
  },
};

function plan({ store, print }: Workplace, { rows }: PeopleFile, now: number): Promise<ImportResult[]> {
  return planImport(store.db, rows, { now, firstRow, onProgress: sayProgress(print) });
}

function apply({ store, settings, catalogue, print }: Workplace, { rows }: PeopleFile, now: number): Promise<ImportResult[]> {
  return applyImport(store, rows, {
    now,
    firstRow,
    onProgress: sayProgress(print),
    sealKey: loadKeys(settings).seal,
    linkAddress: settings.smtpUrl === null ? null : token => setPasswordAddress(catalogue.portal.origin, token),
    invitationMs: settings.invitationDays * 86_400_000,
  });
}

const progressEveryMs = 2_000;

/** A file that takes longer than that is not waited for in silence. */
function sayProgress(print: Workplace['print']): (progress: ImportProgress) => void {
  let saidAt = performance.now();
  return ({ step, rows, of }) => {
    if (performance.now() - saidAt < progressEveryMs) return;
    saidAt = performance.now();
    print(`${rows} of ${of} rows ${step}.`);
  };
}

const exitOf = (results: readonly ImportResult[]): Exit =>
  results.some(({ outcome }) => outcome === 'conflict' || outcome === 'error') ? exits.someRows : exits.fine;

const counted: readonly [ImportOutcome, string][] = [
  ['new', 'new'],
  ['changed', 'changed'],
  ['unchanged', 'unchanged'],
  ['removed-by-administrator', 'left out because somebody removed them'],
  ['conflict', 'in conflict'],
  ['error', 'with an error'],
];

function report({ print }: Workplace, path: string, file: PeopleFile, results: readonly ImportResult[]): void {
  const count = (outcome: ImportOutcome) => results.filter(result => result.outcome === outcome).length;
  const administrators = results.filter(({ madeAdministrator }) => madeAdministrator).length;
  print(`${path}: ${results.length} rows: ${counted.map(([outcome, words]) => `${count(outcome)} ${words}`).join(', ')}.`);
  print(`New administrators: ${administrators}.`);
  for (const result of results) {
    const sentence = sayResult(result, rowOf(file, result), file.unreadable.get(result.row));
    if (sentence !== null) print(`Row ${result.row}: ${sentence}`);
  }
}

/** A mistyped code makes an organisation that nobody meant, and a dry run is there to see it. */
function sayNewOrganisations({ print }: Workplace, file: PeopleFile, results: readonly ImportResult[], known: Set<string>): void {
  for (const result of results) {
    const { organisation_code: code, organisation_name: name } = rowOf(file, result);
    if (known.has(code) || !(result.outcome === 'new' || result.outcome === 'changed')) continue;
    known.add(code);
    print(`Row ${result.row}: ${name || code} (${code}) is a new organisation.`);
  }
}

const rowOf = ({ rows }: PeopleFile, { row }: ImportResult): ImportRow => trimRow(rows[row - firstRow]!);

/** What a person should look at in a row, or null. */
function sayResult({ outcome, reason, madeAdministrator }: ImportResult, row: ImportRow, unreadable: string | undefined): string | null {
  if (unreadable !== undefined) return `error: it ${unreadable}.`;
  if (outcome === 'error' || outcome === 'conflict') return `${outcome}: ${reason}`;
  const said = reason === null ? [] : [reason];
  if (madeAdministrator) {
    said.push(`${fullName(row)} becomes an Organisation Administrator of ${row.organisation_name || row.organisation_code}.`);
    if (row.email === '') said.push('There is no email address to tell them.');
    if (row.user_id !== '')
      said.push('They cannot sign in with a user ID yet: leave user_id empty and they choose a password for the email address.');
  }
  return said.length > 0 ? said.join(' ') : null;
}

/** Every change waits for the disk. */
const linksAtOnce = 100;

/** Without a mail server the welcome waits; the links of those who need a password are printed instead, once each. */
async function handOverLinks(place: Workplace, file: PeopleFile, results: readonly ImportResult[], now: number): Promise<void> {
  const { store, settings, catalogue, print } = place;
  const rows = results.flatMap(result => (result.madeAdministrator ? [rowOf(file, result)] : []));
  const sourceIds = [...new Set(rows.flatMap(row => (row.user_id === '' ? [row.source_id] : [])))];
  for (let start = 0; start < sourceIds.length; start += linksAtOnce) {
    const made = await store.change(async tx => {
      const found = await withoutPassword(tx, sourceIds.slice(start, start + linksAtOnce));
      const people = found.map(({ id }) => id);
      const links = await makeLinks(tx, { people, purpose: 'invitation', settings, origin: catalogue.portal.origin, now });
      return found.map(({ id, ...who }) => ({ who, link: links.get(id)! }));
    });
    for (const { who, link } of made) print(sayLink(`${fullName(who)} (${who.email})`, link));
  }
}

function withoutPassword(tx: Change, sourceIds: readonly string[]) {
  return tx
    .selectFrom('people')
    .innerJoin('identities', 'identities.person_id', 'people.id')
    .select(['people.id', 'people.first_name', 'people.last_name', 'identities.subject as email'])
    .where('people.source_id', 'in', sourceIds)
    .where('identities.provider', '=', 'local')
    .where('identities.password_hash', 'is', null)
    .orderBy('people.id')
    .execute();
}
