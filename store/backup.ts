import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Kysely, sql } from 'kysely';
import { OperatorFault } from '#config/operator-fault.ts';
import { readTogether } from './database.ts';
import { installationValue } from './installation.ts';
import { levelOf, levels } from './migrations.ts';
import type { Reader, Tables } from './tables.ts';

/**
 * A backup is a folder of plain lines: a file of JSON rows for each table, the same for both databases, and a manifest that is written
 * last and knows how many rows each has and their checksum. So it is whole or none, and can be looked into without us.
 */
export type Manifest = {
  format: 1;
  /** Milliseconds since 1970. */
  takenAt: number;
  /** Of the demo or of a real installation. */
  kind: string;
  /** The last migration that its tables had seen. */
  level: string;
  tables: { name: string; rows: number; sha256: string }[];
  /** What belongs to the data and is in no table. */
  files: { name: string; sha256: string }[];
};

export class BackupFault extends OperatorFault {
  override name = 'BackupFault';
}

/** Every table of a backup with its key, each after the ones it refers to. */
export const keptTables = {
  installation: ['key'],
  organisations: ['id'],
  people: ['id'],
  identities: ['id'],
  memberships: ['person_id', 'organisation_id'],
  rules: ['id'],
  sessions: ['id'],
  one_time_links: ['id'],
  attempts: ['id'],
  activity: ['id'],
  activity_text: ['activity_id'],
  events: ['id'],
  outbox: ['id'],
} as const satisfies Partial<Record<keyof Tables, readonly string[]>>;

/** What opens something for a moment, and who is at work: after a restore none of it may count, so no backup has it. */
export const leftOutTables = [
  'session_tokens',
  'handoff_codes',
  'security_codes',
  'kept_forms',
  'jobs',
] as const satisfies readonly (keyof Tables)[];

export const manifestName = 'manifest.json';
export const fileOf = (table: string): string => `${table}.jsonl`;
/** Rows whose columns do not matter. */
export type AnyTables = Record<string, Record<string, unknown>>;

const PAGE = 1_000;

type Saving = {
  now: number;
  /** Paths of files that belong to the data. */
  beside: readonly string[];
};

/**
 * Writes everything as it is at one instant to a folder of its own, for this user alone. Nobody has to wait for it. The database may
 * be that of an older version, and stays so; of a newer one we could not know what belongs to it.
 */
export async function writeBackup(db: Reader, folder: string, { now, beside }: Saving): Promise<Manifest> {
  const manifest = await readTogether(db, async (reader): Promise<Manifest> => {
    const level = await levelOf(reader);
    if (!levels.includes(level)) throw new BackupFault('The data are of a newer version of this program: save them with that one.');
    makeFolder(folder);
    const files = beside.map(path => copyFile(path, folder));
    const there = new Set((await reader.introspection.getTables()).map(({ name }) => name));
    const tables: Manifest['tables'] = [];
    for (const [name, key] of Object.entries(keptTables))
      if (there.has(name)) tables.push(await writeTable(reader, name, key, join(folder, fileOf(name))));
    return { format: 1, takenAt: now, kind: (await installationValue(reader, 'kind')) ?? '', level, tables, files };
  });
  writeNew(join(folder, manifestName), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}

const writeNew = (path: string, content: string | Buffer): void => writeFileSync(path, content, { mode: 0o600, flag: 'wx', flush: true });

function copyFile(path: string, folder: string): Manifest['files'][number] {
  const [name, content] = [basename(path), readFileSync(path)];
  writeNew(join(folder, name), content);
  return { name, sha256: createHash('sha256').update(content).digest('hex') };
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (readdirSync(folder).length === 0) return;
  } catch {
    throw new BackupFault(`The folder ${folder} cannot be made: name one where this user may write.`);
  }
  throw new BackupFault(`The folder ${folder} has something in it already: name one that is empty or not there yet.`);
}

async function writeTable(reader: Reader, name: string, key: readonly string[], path: string): Promise<Manifest['tables'][number]> {
  const db = reader as unknown as Kysely<AnyTables>;
  const file = await open(path, 'wx', 0o600);
  const hash = createHash('sha256');
  let rows = 0;
  try {
    for (let last: Record<string, unknown> | undefined; ; ) {
      const page = await pageAfter(db, name, key, last);
      const text = page.map(row => `${JSON.stringify(row)}\n`).join('');
      hash.update(text);
      await file.write(text);
      rows += page.length;
      last = page.at(-1);
      if (page.length < PAGE) break;
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return { name, rows, sha256: hash.digest('hex') };
}

/** The rows behind that one, by key: an offset would count all rows before it again for every page. */
function pageAfter(db: Kysely<AnyTables>, table: string, key: readonly string[], last: Record<string, unknown> | undefined) {
  const columns = sql.join(key.map(column => sql.ref(column)));
  return db
    .selectFrom(table)
    .selectAll()
    .$if(last !== undefined, query => query.where(sql<boolean>`(${columns}) > (${sql.join(key.map(column => last?.[column]))})`))
    .orderBy(sql`${columns}`)
    .limit(PAGE)
    .execute();
}
