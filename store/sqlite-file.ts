import { closeSync, openSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { isBusy, lookEveryMs, patienceMs } from './sqlite-busy.ts';

/** What a statement says: rows, or how many it changed and the last id it gave. */
export type SqliteResult = { rows: unknown[]; changes?: number; insertId?: number };
/** One SQLite file. Whoever asks waits for the answer, and so does everything else in the thread. */
export type SqliteFile = { run(sql: string, parameters: readonly unknown[]): SqliteResult; close(): void };

const longestCache = 500;
const pause = new Int32Array(new SharedArrayBuffer(4));

/** Opens it, for this user alone: WAL, synchronous=full, foreign keys on. What it is asked while another process writes, it refuses. */
export function openSqliteFile(file: string, pragmas: readonly string[] = []): SqliteFile {
  // SQLite would let every user of the machine read it. The files that it puts beside it take over its mode.
  closeSync(openSync(file, 'a', 0o600));
  const database = patiently(() => new DatabaseSync(file, { enableForeignKeyConstraints: true }));
  for (const pragma of ['journal_mode=wal', 'synchronous=full', ...pragmas]) patiently(() => database.exec(`pragma ${pragma}`));
  const prepared = new Map<string, { statement: StatementSync; reads: boolean }>();

  function prepare(sql: string) {
    const known = prepared.get(sql);
    if (known) return known;
    if (prepared.size >= longestCache) prepared.clear();
    const statement = database.prepare(sql);
    const entry = { statement, reads: statement.columns().length > 0 };
    prepared.set(sql, entry);
    return entry;
  }

  function run(sql: string, parameters: readonly unknown[]): SqliteResult {
    // After a full disk or an error of it, SQLite has taken everything back by itself: asked to, it would only hide why.
    if (sql === 'rollback' && !database.isTransaction) return { rows: [] };
    const { statement, reads } = prepare(sql);
    const values = parameters.map(bind);
    if (reads) return { rows: statement.all(...values) };
    const { changes, lastInsertRowid } = statement.run(...values);
    return { rows: [], changes: Number(changes), insertId: Number(lastInsertRowid) };
  }

  return { run, close: () => database.close() };
}

/**
 * Of two processes that open a new file side by side SQLite refuses one whatever its own time-out, because waiting for each other would
 * never end.
 */
function patiently<T>(work: () => T): T {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error) || performance.now() > deadline) throw error;
      Atomics.wait(pause, 0, 0, lookEveryMs);
    }
  }
}

function bind(value: unknown): SQLInputValue {
  if (value === undefined) return null;
  if (typeof value === 'boolean') return value ? 1 : 0;
  return value as SQLInputValue;
}
