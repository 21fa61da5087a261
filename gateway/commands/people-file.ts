import { readFileSync } from 'node:fs';
import { CsvError, parse } from 'csv-parse/sync';
import type { ImportRow } from '#store/import-rows.ts';
import { CommandFault } from './command.ts';

export const columns = [
  'source_id',
  'user_id',
  'first_name',
  'last_name',
  'email',
  'phone',
  'organisation_code',
  'organisation_name',
  'administrator',
  'job_role',
] as const satisfies readonly (keyof ImportRow)[];

/** Rows in the order of the file, the header being row 1. A row that cannot be read holds nothing but its fault; a blank one not even that. */
export type PeopleFile = { rows: ImportRow[]; unreadable: Map<number, string>; blank: Set<number> };
export const firstRow = 2;

const emptyRow = Object.fromEntries(columns.map(column => [column, ''])) as ImportRow;

/** Reads a CSV file as spreadsheets write them. Throws CommandFault when nothing of it can be relied on. */
export function readPeopleFile(path: string): PeopleFile {
  const [header = [], ...records] = readRecords(textOf(path));
  const names = header.map(name => name.trim());
  const faults = faultsOfHeader(names);
  if (faults.length > 0) throw new CommandFault(`Row 1: ${faults.join('; ')}.`);
  const file: PeopleFile = { rows: [], unreadable: new Map(), blank: new Set() };
  records.forEach((record, index) => {
    const number = index + firstRow;
    const blank = record.every(value => value.trim() === '');
    const whole = record.length === columns.length;
    if (blank) file.blank.add(number);
    else if (!whole) file.unreadable.set(number, `has ${record.length} values, and the header has ${columns.length} columns`);
    file.rows.push(whole && !blank ? (Object.fromEntries(record.map((value, at) => [names[at], value])) as ImportRow) : emptyRow);
  });
  return file;
}

function textOf(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch {
    throw new CommandFault(`The file ${path} cannot be read: check the path and who may read it.`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    // Guessing would turn José into something else, in a name that e-mails and screens repeat.
    throw new CommandFault(`The file ${path} is not UTF-8: save it again as "CSV UTF-8".`);
  }
}

function readRecords(text: string): string[][] {
  try {
    return parse(text, { bom: true, relax_column_count: true, delimiter: separatorOf(text) });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const { lines } = error as CsvError & { lines?: number };
    throw new CommandFault(`Line ${lines ?? '?'}: a quotation mark (") is not closed or stands in the wrong place; nothing was read.`);
  }
}

/** Spreadsheets write semicolons where people write decimal commas, and tabs when asked to. No column has either in its name. */
function separatorOf(text: string): string {
  const [header = ''] = text.split('\n', 1);
  return [',', ';', '\t'].find(mark => header.includes(mark)) ?? ',';
}

function faultsOfHeader(names: readonly string[]): string[] {
  const missing = columns.filter(column => !names.includes(column));
  if (missing.length === columns.length) return [`it must name the columns: ${columns.join(', ')}`];
  const unknown = names.filter(name => !columns.some(column => column === name));
  const twice = columns.filter(column => names.indexOf(column) !== names.lastIndexOf(column));
  return [
    missing.length > 0 ? `missing ${missing.join(', ')}` : '',
    unknown.length > 0 ? `unknown ${unknown.map(name => `"${name}"`).join(', ')}` : '',
    twice.length > 0 ? `twice ${twice.join(', ')}` : '',
  ].flatMap(fault => (fault === '' ? [] : [fault]));
}
