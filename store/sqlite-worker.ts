import { closeSync, openSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { isBusy } from './sqlite-busy.ts';
import type { SqliteAnswer, SqliteQuestion } from './sqlite-thread.ts';

// SQLite answers while the caller waits. In a thread of its own it keeps only its own callers waiting, never the proxying.

const port = parentPort;
if (!port) throw new Error('store/sqlite-worker.ts runs as a worker thread only');
const patienceMs = 5000;
const lookEveryMs = 2;
const pause = new Int32Array(new SharedArrayBuffer(4));
const { file } = workerData as { file: string };
// SQLite would let every user of the machine read it. The files that it puts beside it take over its mode.
closeSync(openSync(file, 'a', 0o600));
const database = new DatabaseSync(file, { enableForeignKeyConstraints: true });
patiently(() => database.exec('pragma journal_mode=wal'));
database.exec('pragma synchronous=full');

/**
 * Tries again while another process is writing. SQLite's own time-out sleeps longer and longer between two looks, and would go on
 * missing the moments between the batches of an import; and of two that open a new file side by side it refuses one whatever the
 * time-out, because waiting for each other would never end.
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

const prepared = new Map<string, { statement: StatementSync; reads: boolean }>();
const longestCache = 500;

function prepare(sql: string) {
  const known = prepared.get(sql);
  if (known) return known;
  if (prepared.size >= longestCache) prepared.clear();
  const statement = database.prepare(sql);
  const entry = { statement, reads: statement.columns().length > 0 };
  prepared.set(sql, entry);
  return entry;
}

function bind(value: unknown): SQLInputValue {
  if (value === undefined) return null;
  if (typeof value === 'boolean') return value ? 1 : 0;
  return value as SQLInputValue;
}

function run({ id, sql, parameters }: SqliteQuestion): SqliteAnswer {
  // After a full disk or an error of it, SQLite has taken everything back by itself: asked to, it would only hide why.
  if (sql === 'rollback' && !database.isTransaction) return { id, rows: [] };
  const { statement, reads } = prepare(sql);
  const values = parameters.map(bind);
  if (reads) return { id, rows: statement.all(...values) };
  const { changes, lastInsertRowid } = statement.run(...values);
  return { id, rows: [], changes: Number(changes), insertId: Number(lastInsertRowid) };
}

function answer(question: SqliteQuestion): SqliteAnswer {
  try {
    return patiently(() => run(question));
  } catch (error) {
    const { message, errcode } = error as Error & { errcode?: number };
    return { id: question.id, fault: { message, errcode: errcode ?? null } };
  }
}

port.on('message', (question: SqliteQuestion | 'close') => {
  if (question !== 'close') return port.postMessage(answer(question));
  database.close();
  port.close();
});
port.postMessage('open');
