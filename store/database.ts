import { Kysely, PostgresAdapter, sql, type Transaction } from 'kysely';
import { migrate } from './migrations.ts';
import { asOpeningFault } from './opening-fault.ts';
import { postgresDialect } from './postgres.ts';
import { sqliteDialect } from './sqlite.ts';
import type { Reader, Tables } from './tables.ts';
import { guardTransaction } from './transaction-guard.ts';

export type Change = Transaction<Tables>;
export type Place = { file: string } | { url: string };
export type StoreOptions = {
  onChanged?: (made: Change) => Promise<void>;
  onError?: (error: unknown) => void;
  /** Whether this process serves nobody while SQLite answers, so that it may do so in the same thread. */
  alone?: boolean;
};
export type Store = {
  kind: 'sqlite' | 'postgres';
  db: Reader;
  change<T>(work: (tx: Change) => Promise<T>): Promise<T>;
  close(): Promise<void>;
};

// Any number will do, as long as every process of this product takes the same one.
const changeLock = 7_345_190_226;
// Changes wait for each other. If they waited on every connection there is, nobody could read: not even what has changed.
export const connections = { reading: 7, changing: 3 };

const connect = (place: Place, { onError = () => {}, alone = false }: StoreOptions, most: number): Kysely<Tables> =>
  new Kysely<Tables>({ dialect: 'file' in place ? sqliteDialect(place.file, { here: alone }) : postgresDialect(place.url, onError, most) });

/** Runs reads on what is there, without bringing tables up to date. */
export async function readAsItIs<T>(place: Place, work: (db: Reader) => Promise<T>): Promise<T> {
  const db = connect(place, { alone: true }, 1);
  try {
    return await work(db);
  } catch (error) {
    throw asOpeningFault(error, place);
  } finally {
    await db.destroy();
  }
}

/**
 * Opens the SQLite file or the PostgreSQL database and brings its tables up to date. Throws OpeningFault when it cannot be had.
 * `change` runs one transaction that takes the one lock of all writers first; once it is committed it awaits `onChanged`, which gets
 * the transaction to look up what it wrote, and can ask it nothing more.
 * A fault of `onChanged` goes to `onError` only, because the change has been made by then.
 */
export async function openStore(place: Place, options: StoreOptions = {}): Promise<Store> {
  const { onChanged, onError = () => {} } = options;
  const kind = 'file' in place ? 'sqlite' : 'postgres';
  const db = connect(place, options, connections.reading);
  const changing = 'file' in place ? db : connect(place, options, connections.changing);
  try {
    await migrate(db, kind);
  } catch (error) {
    await db.destroy().catch(onError);
    throw asOpeningFault(error, place);
  }
  const lock = (tx: Change) => sql`select pg_advisory_xact_lock(${sql.lit(changeLock)})`.execute(tx);
  return {
    kind,
    db,
    async change(work) {
      const { made, result } = await changing.transaction().execute(async tx => {
        if (kind === 'postgres') await lock(tx);
        return { made: tx, result: await guardTransaction(() => work(tx)) };
      });
      await onChanged?.(made).catch(onError);
      return result;
    },
    async close() {
      await db.destroy();
      if (changing !== db) await changing.destroy();
    },
  };
}

/** Runs several reads on one and the same state of the database; inside a change they simply belong to it. */
export function readTogether<T>(db: Reader, work: (reader: Reader) => Promise<T>): Promise<T> {
  if (db.isTransaction) return work(db);
  return db
    .transaction()
    .setAccessMode('read only')
    .setIsolationLevel('repeatable read')
    .execute(tx => guardTransaction(() => work(tx)));
}

/** For the one statement or two that the databases word differently. */
export const isPostgres = (db: Reader): boolean => db.getExecutor().adapter instanceof PostgresAdapter;

/** What PostgreSQL itself calls the database, however its address is written. */
export async function databaseName(db: Reader): Promise<string> {
  const { rows } = await sql<{ name: string }>`select current_database() as name`.execute(db);
  return rows[0]!.name;
}
