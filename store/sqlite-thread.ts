import { Worker } from 'node:worker_threads';
import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely';
import { openSqliteFile, type SqliteResult } from './sqlite-file.ts';

export type SqliteQuestion = { id: number; sql: string; parameters: readonly unknown[] };
export type SqliteAnswer = ({ id: number } & SqliteResult) | { id: number; fault: { message: string; errcode: number | null } };
export type SqliteConnection = DatabaseConnection & { close(): Promise<void> };

type Settle = { resolve(result: QueryResult<unknown>): void; reject(error: Error): void };

function asResult(answer: SqliteResult): QueryResult<unknown> {
  if (answer.changes === undefined) return { rows: answer.rows };
  return { rows: answer.rows, numAffectedRows: BigInt(answer.changes), insertId: BigInt(answer.insertId ?? 0) };
}

function settled(answer: SqliteAnswer, { resolve, reject }: Settle): void {
  if ('fault' in answer) reject(Object.assign(new Error(answer.fault.message), { errcode: answer.fault.errcode }));
  else resolve(asResult(answer));
}

const streamQuery = (): never => {
  throw new Error('SQLite is read in pages here, not in streams.');
};

/** Opens the file in this thread, for a process that serves nobody meanwhile: no message has to wake another thread and be waited for. */
export async function connectSqliteHere(file: string): Promise<SqliteConnection> {
  // An import touches every index all over, and nobody here counts on little memory: 64 MB of pages, sorting and taking back without
  // files, and as much again to be written twice for every 16 MB only.
  const sqlite = openSqliteFile(file, ['cache_size=-64000', 'temp_store=memory', 'wal_autocheckpoint=4000']);
  return {
    async executeQuery<R>({ sql, parameters }: CompiledQuery) {
      const { rows, ...done } = sqlite.run(sql, parameters);
      // Its rows have no prototype; what comes from another thread has.
      return asResult({ ...done, rows: rows.map(row => ({ ...(row as object) })) }) as QueryResult<R>;
    },
    streamQuery,
    close: async () => sqlite.close(),
  };
}

/** Starts the thread that owns the file and speaks to it, one message per statement. Rejects when the file cannot be opened. */
export async function connectSqlite(file: string): Promise<SqliteConnection> {
  const worker = new Worker(new URL('./sqlite-worker.ts', import.meta.url), { workerData: { file } });
  const waiting = new Map<number, Settle>();
  let lastId = 0;
  let dead: Error | null = null;
  const die = (error: Error) => {
    dead ??= error;
    for (const { reject } of waiting.values()) reject(dead);
    waiting.clear();
  };
  const exited = new Promise<void>(resolve => worker.once('exit', () => resolve()));
  worker.on('error', error => die(error as Error));
  worker.on('exit', () => die(new Error('The database thread has ended.')));
  await new Promise<void>((resolve, reject) => {
    worker.once('message', () => resolve());
    worker.once('error', reject);
  });
  worker.on('message', (answer: SqliteAnswer) => {
    const settle = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (settle) settled(answer, settle);
  });
  const ask = ({ sql, parameters }: CompiledQuery) =>
    new Promise<QueryResult<unknown>>((resolve, reject) => {
      if (dead) return reject(dead);
      lastId += 1;
      waiting.set(lastId, { resolve, reject });
      worker.postMessage({ id: lastId, sql, parameters } satisfies SqliteQuestion);
    });
  return {
    executeQuery: <R>(query: CompiledQuery) => ask(query) as Promise<QueryResult<R>>,
    streamQuery,
    async close() {
      if (!dead) worker.postMessage('close');
      await exited;
    },
  };
}
