import { isEmailAddress } from './email-address.ts';

/** One row of an import, every value as the file has it (empty where it has none). */
export type ImportRow = {
  source_id: string;
  user_id: string;
  first_name: string;
  last_name: string;
  email: string;
  phone: string;
  organisation_code: string;
  organisation_name: string;
  administrator: string;
  job_role: string;
};

export type ImportOutcome = 'new' | 'changed' | 'unchanged' | 'conflict' | 'removed-by-administrator' | 'error';

/** What becomes of one row. A conflict or an error is for a human, and nothing of its row is written. */
export type ImportResult = {
  /** The row's number, as the caller counts. */
  row: number;
  outcome: ImportOutcome;
  madeAdministrator: boolean;
  /** What is different, in words, for instance 'email' or 'organisation name'. */
  changes: string[];
  reason: string | null;
};

const yes = ['yes', 'y', 'true', '1'];
const no = ['no', 'n', 'false', '0', ''];
const longest = 200;

/** The row without spaces around its values, and with letters composed: two ways to write é are one. */
export function trimRow(row: ImportRow): ImportRow {
  const trimmed = { ...row };
  for (const name of Object.keys(trimmed) as (keyof ImportRow)[]) trimmed[name] = trimmed[name].normalize('NFC').trim();
  return trimmed;
}

/** Whether the row says that its person administers the organisation. */
export const wantsAdministrator = (row: ImportRow): boolean => yes.includes(row.administrator.toLowerCase());

/** How the row's person signs in: with a user ID of the directory, or else with their e-mail address here. */
export function subjectOf(row: ImportRow): { provider: 'directory' | 'local'; subject: string } {
  return row.user_id === '' ? { provider: 'local', subject: row.email } : { provider: 'directory', subject: row.user_id };
}

/** What is wrong with a row on its own, as a sentence, or null. Expects a trimmed row. */
export function faultOf(row: ImportRow): string | null {
  for (const [name, value] of Object.entries(row)) {
    if (value.length > longest) return `${name} is longer than ${longest} characters.`;
    if (/\p{Cc}/u.test(value)) return `${name} has a line break or another control character in it.`;
  }
  if (row.source_id === '') return 'source_id is missing.';
  if (row.organisation_code === '') return 'organisation_code is missing.';
  if (row.first_name === '' && row.last_name === '') return 'first_name and last_name are both missing.';
  if (row.user_id === '' && row.email === '') return 'user_id and email are both missing.';
  if (row.email !== '' && !isEmailAddress(row.email)) return 'email is not one email address.';
  if (![...yes, ...no].includes(row.administrator.toLowerCase())) return 'administrator must be yes or no.';
  return null;
}
