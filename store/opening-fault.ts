import { OperatorFault } from '#config/operator-fault.ts';
import { isUnreachable } from './outage.ts';

/** The data cannot be opened, for a reason that lies outside this program. */
export class OpeningFault extends OperatorFault {
  override name = 'OpeningFault';
}

// https://sqlite.org/rescode.html
const damaged = [11, 26];
const diskFull = 13;

/** The error as a sentence for whoever runs the installation, or as it is when the fault may be ours. */
export function asOpeningFault(error: unknown, place: { file: string } | { url: string }): unknown {
  const sentence = 'file' in place ? sentenceOfSqlite(error, place.file) : sentenceOfPostgres(error);
  return sentence === null ? error : new OpeningFault(sentence);
}

function sentenceOfSqlite(error: unknown, file: string): string | null {
  const { errcode } = error as { errcode?: number };
  // The rarer reasons are told by the higher bits.
  const reason = (errcode ?? 0) & 0xff;
  if (damaged.includes(reason))
    return `The file ${file} is damaged or no database of ours: restore it from a backup, or set DATA_DIR to another folder.`;
  if (reason === diskFull) return `There is no room left for ${file}: free some, or set DATA_DIR to a folder on another disk.`;
  return null;
}

// https://www.postgresql.org/docs/current/errcodes-appendix.html: who may come in (28), which database (3D), what its user may do (42501)
const refusals = /^(?:28|3D|42501)/;

function sentenceOfPostgres(error: unknown): string | null {
  const { code = '', message } = error as NodeJS.ErrnoException;
  if (refusals.test(code)) return `PostgreSQL refuses (${message}): check DATABASE_URL and what its user may do.`;
  if (!isUnreachable(error)) return null;
  return `The database cannot be reached (${code || message}): check DATABASE_URL, and that the server runs.`;
}
