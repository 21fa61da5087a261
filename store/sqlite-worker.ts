import { parentPort, workerData } from 'node:worker_threads';
import { openSqliteFile } from './sqlite-file.ts';
import type { SqliteAnswer, SqliteQuestion } from './sqlite-thread.ts';

// SQLite answers while the caller waits. In a thread of its own it keeps only its own callers waiting, never the proxying.

const port = parentPort;
if (!port) throw new Error('store/sqlite-worker.ts runs as a worker thread only');
const sqlite = openSqliteFile((workerData as { file: string }).file);

function answer({ id, sql, parameters }: SqliteQuestion): SqliteAnswer {
  try {
    return { id, ...sqlite.run(sql, parameters) };
  } catch (error) {
    const { message, errcode } = error as Error & { errcode?: number };
    return { id, fault: { message, errcode: errcode ?? null } };
  }
}

port.on('message', (question: SqliteQuestion | 'close') => {
  if (question !== 'close') return port.postMessage(answer(question));
  sqlite.close();
  port.close();
});
port.postMessage('open');
