import { AsyncLocalStorage } from 'node:async_hooks';

// SQLite has one connection here and PostgreSQL one lock for all changes, so whoever turns to the store from inside a
// transaction of its own would wait for itself.
const inTransaction = new AsyncLocalStorage<{ open: boolean }>();

/** Runs the work of a transaction so that a question put to the store instead of to the transaction fails at once. */
export async function guardTransaction<T>(work: () => Promise<T>): Promise<T> {
  const state = { open: true };
  try {
    return await inTransaction.run(state, work);
  } finally {
    state.open = false;
  }
}

/** Called wherever a connection is asked for. */
export function refuseInsideTransaction(): void {
  if (inTransaction.getStore()?.open) throw new Error('Inside a change, ask the transaction, not the store.');
}
