import { createHash } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Kysely, sql, type Transaction } from 'kysely';
import { z } from 'zod';
import { append, verifyChain } from './activity.ts';
import { type AnyTables, BackupFault, fileOf, keptTables, type Manifest, manifestName } from './backup.ts';
import type { Place } from './database.ts';
import { settleRows } from './many.ts';
import { levels, migrate } from './migrations.ts';
import { asOpeningFault } from './opening-fault.ts';
import { postgresDialect } from './postgres.ts';
import { sqliteDialect } from './sqlite.ts';
import type { Tables } from './tables.ts';

const manifestShape = z.object({
  format: z.literal(1),
  takenAt: z.number(),
  kind: z.string(),
  level: z.string(),
  tables: z.array(z.object({ name: z.string(), rows: z.number(), sha256: z.string() })),
  // The first backups did not list them.
  files: z.array(z.object({ name: z.string(), sha256: z.string() })).default([]),
});

/** How many of what was under way at the time of the backup have been ended. */
export type Ended = { sessions: number; links: number; messages: number };

const BATCH = 200;

/** Reads a backup's manifest and compares every file with it. Throws BackupFault for a folder that is no whole backup. */
export async function checkBackup(folder: string): Promise<Manifest> {
  const manifest = readManifest(folder);
  if (!levels.includes(manifest.level))
    throw new BackupFault(`The backup in ${folder} was made by a newer version of this program: restore it with that one.`);
  const names = manifest.tables.map(({ name }) => name);
  if (
    names.join() !==
    Object.keys(keptTables)
      .filter(name => names.includes(name))
      .join()
  )
    throw new BackupFault(`The backup in ${folder} has tables that this program does not know: restore it with the version that made it.`);
  for (const { name, sha256 } of manifest.tables) await compare(folder, fileOf(name), sha256);
  for (const { name, sha256 } of manifest.files) await compare(folder, name, sha256);
  return manifest;
}

async function compare(folder: string, file: string, sha256: string): Promise<void> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(join(folder, file))) hash.update(chunk);
  } catch {
    throw new BackupFault(`The backup in ${folder} is not whole: ${file} cannot be read.`);
  }
  if (hash.digest('hex') !== sha256) throw new BackupFault(`The backup in ${folder} is damaged: ${file} is not as it was written.`);
}

function readManifest(folder: string): Manifest {
  try {
    return manifestShape.parse(JSON.parse(readFileSync(join(folder, manifestName), 'utf8')));
  } catch {
    throw new BackupFault(`There is no whole backup in ${folder}: ${manifestName} is missing or cannot be read.`);
  }
}

/**
 * Fills an empty database from a backup, wholly or not at all. Whatever was under way then is over: sessions, links, messages not
 * sent; tokens and codes are in no backup. The activity says that it was restored.
 */
export async function restoreBackup(place: Place, folder: string, manifest: Manifest, now: number): Promise<Ended> {
  const kind = 'file' in place ? 'sqlite' : 'postgres';
  const db = new Kysely<Tables>({ dialect: 'file' in place ? sqliteDialect(place.file) : postgresDialect(place.url, () => {}) });
  try {
    if (kind === 'postgres') await refuseCompany(db);
    await refuseFull(db);
    // As it was when the backup was made; what has changed since is done to the rows as to any others.
    await migrate(db, kind, manifest.level);
    const ended = await db.transaction().execute(tx => fill(tx, kind, folder, manifest, now));
    await migrate(db, kind);
    await settleRows(db, Object.keys(keptTables) as (keyof Tables)[]);
    return ended;
  } catch (error) {
    throw asOpeningFault(error, place);
  } finally {
    await db.destroy();
  }
}

/** A gateway locks its data folder; of one on another machine only the database knows. */
async function refuseCompany(db: Kysely<Tables>): Promise<void> {
  const { rows } = await sql<{ others: number }>`
    select count(*)::int as others from pg_stat_activity
    where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()`.execute(db);
  if (rows[0]?.others !== 0) throw new BackupFault('Somebody is connected to this database: stop every gateway that uses it first.');
}

async function refuseFull(db: Kysely<Tables>): Promise<void> {
  const tables = await db.introspection.getTables();
  if (!tables.some(({ name }) => name === 'installation')) return;
  const row = await db.selectFrom('installation').select('key').limit(1).executeTakeFirst();
  if (row)
    throw new BackupFault('There are data already: restore into an empty folder or database, and keep the old one until all is well.');
}

async function fill(tx: Transaction<Tables>, kind: 'sqlite' | 'postgres', folder: string, manifest: Manifest, now: number): Promise<Ended> {
  const ended: Ended = { sessions: 0, links: 0, messages: 0 };
  for (const { name, rows } of manifest.tables) {
    const filled = await fillTable(tx, name, join(folder, fileOf(name)), row => endUnderWay(name, row, now, ended));
    if (filled !== rows) throw new BackupFault(`The backup in ${folder} is damaged: ${fileOf(name)} has ${filled} rows and not ${rows}.`);
    if (kind === 'postgres' && keptTables[name as keyof typeof keptTables].join() === 'id' && name !== 'activity')
      await sql`select setval(pg_get_serial_sequence(${name}, 'id'), greatest(max(id), 1), max(id) is not null) from ${sql.table(name)}`.execute(
        tx,
      );
  }
  const { broken } = await verifyChain(tx);
  if (broken) throw new BackupFault(`The activity in the backup was tampered with: its entry ${broken.id} is ${broken.what}.`);
  await append(tx, { at: now, kind: 'restored', data: { takenAt: manifest.takenAt, ...ended } });
  return ended;
}

type Row = Record<string, unknown>;

async function fillTable(tx: Transaction<Tables>, name: string, path: string, change: (row: Row) => Row): Promise<number> {
  const into = tx as unknown as Transaction<AnyTables>;
  let batch: Row[] = [];
  let rows = 0;
  const flush = async () => {
    if (batch.length > 0) await into.insertInto(name).values(batch).execute();
    rows += batch.length;
    batch = [];
  };
  for await (const line of linesOf(path)) {
    batch.push(change(JSON.parse(line)));
    if (batch.length === BATCH) await flush();
  }
  await flush();
  return rows;
}

/** Split at the newline alone. readline would split at U+2028 and U+2029 too, which JSON leaves as they are and anybody can type. */
async function* linesOf(path: string): AsyncGenerator<string> {
  let begun = '';
  for await (const text of createReadStream(path, 'utf8')) {
    const lines = (begun + text).split('\n');
    begun = lines.pop() ?? '';
    yield* lines;
  }
  if (begun !== '') yield begun;
}

/** A row as it stands after the restore. Whoever was signed out, or has lost a right, since the backup must not be back by it. */
function endUnderWay(table: string, row: Row, now: number, ended: Ended): Row {
  if (table === 'sessions' && row.ended_at === null) {
    ended.sessions += 1;
    return { ...row, ended_at: now, end_reason: 'restored' };
  }
  if (table === 'one_time_links' && row.used_at === null && row.cancelled_at === null) {
    ended.links += 1;
    return { ...row, cancelled_at: now };
  }
  if (table === 'outbox' && (row.status === 'waiting' || row.status === 'sending')) {
    ended.messages += 1;
    const why = 'It had not been sent when the data were restored from a backup.';
    return { ...row, status: 'failed', sealed: null, leased_until: null, last_error: why };
  }
  return row;
}
