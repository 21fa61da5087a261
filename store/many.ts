import { type Insertable, type RawBuilder, type Selectable, sql } from 'kysely';
import { type Change, isPostgres } from './database.ts';
import type { Reader, Tables } from './tables.ts';

// However many rows or values there are, they are one value of one statement. Each on its own would have to be built into the
// statement, sent and bound, and every number of them would be another statement to prepare.

/** Inserts rows that all have the same columns, in their order, and returns those of their columns that are asked for. */
export async function insertRows<T extends keyof Tables, C extends keyof Selectable<Tables[T]> & string = never>(
  tx: Change,
  table: T,
  rows: readonly Insertable<Tables[T]>[],
  returning: readonly C[] = [],
): Promise<Pick<Selectable<Tables[T]>, C>[]> {
  if (rows.length === 0) return [];
  const columns = Object.keys(rows[0]!);
  const answer = returning.length === 0 ? sql`` : sql` returning ${listOf(returning)}`;
  const insert = sql`insert into ${sql.table(table)} (${listOf(columns)}) ${valuesOf(tx, table, columns, rows)}${answer}`;
  return (await insert.execute(tx)).rows as Pick<Selectable<Tables[T]>, C>[];
}

const listOf = (columns: readonly string[]) => sql.join(columns.map(column => sql.ref(column)));

function valuesOf(tx: Change, table: string, columns: readonly string[], rows: readonly unknown[]): RawBuilder<unknown> {
  const json = JSON.stringify(rows);
  if (isPostgres(tx)) return sql`select ${listOf(columns)} from json_populate_recordset(null::${sql.table(table)}, ${json})`;
  return sql`select ${sql.join(columns.map(column => sql`value ->> ${sql.lit(column)}`))} from json_each(${json})`;
}

/** The condition that a column has one of these values. */
export function isAmong(db: Reader, column: string, values: readonly (string | number)[]): RawBuilder<boolean> {
  if (isPostgres(db)) return sql`${sql.ref(column)} = any(${values})`;
  return sql`${sql.ref(column)} in (select value from json_each(${JSON.stringify(values)}))`;
}

/**
 * Lets PostgreSQL look at tables that have grown by many rows: it plans by what it knew of them, and the first to read them marks every
 * row as settled, for which a search waited a fifth of a second. Left alone, it comes to that about a minute later; if it cannot now, it
 * still will. Outside of a change only. SQLite needs neither.
 */
export async function settleRows(db: Reader, tables: readonly (keyof Tables)[]): Promise<void> {
  if (!isPostgres(db)) return;
  for (const table of tables) await sql`vacuum (analyze) ${sql.table(table)}`.execute(db).catch(() => {});
}
