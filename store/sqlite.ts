import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type TransactionSettings,
} from 'kysely';
import { connectSqlite, connectSqliteHere, type SqliteConnection } from './sqlite-thread.ts';
import { refuseInsideTransaction } from './transaction-guard.ts';

function queue() {
  let last: Promise<void> = Promise.resolve();
  let release: () => void = () => {};
  return {
    async enter() {
      const before = last;
      const { promise, resolve } = Promise.withResolvers<void>();
      last = promise;
      await before;
      release = resolve;
    },
    leave: () => release(),
  };
}

function sqliteDriver(file: string, connect: (file: string) => Promise<SqliteConnection>): Driver {
  const turn = queue();
  let connection: SqliteConnection;
  const run = async (on: DatabaseConnection, sql: string) => {
    await on.executeQuery(CompiledQuery.raw(sql));
  };
  return {
    async init() {
      connection = await connect(file);
    },
    async acquireConnection() {
      refuseInsideTransaction();
      await turn.enter();
      return connection;
    },
    // A plain "begin" takes the write lock only at the first write, and then fails instead of waiting if another process wrote since.
    beginTransaction: (on: DatabaseConnection, settings: TransactionSettings) =>
      run(on, settings.accessMode === 'read only' ? 'begin' : 'begin immediate'),
    commitTransaction: on => run(on, 'commit'),
    rollbackTransaction: on => run(on, 'rollback'),
    async releaseConnection() {
      turn.leave();
    },
    destroy: () => connection.close(),
  };
}

class OwnAdapter extends SqliteAdapter {
  // Kysely would otherwise queue callers itself, before the driver can see who asks.
  override get supportsMultipleConnections() {
    return true;
  }

  // SQLite does, and without it two processes that start at once would both make the tables, or one that is killed half of them.
  override get supportsTransactionalDdl() {
    return true;
  }
}

/** Kysely's way to one SQLite file, owned by a worker thread unless it is asked for `here`: WAL, synchronous=full, foreign keys on. */
export function sqliteDialect(file: string, { here = false } = {}): Dialect {
  return {
    createAdapter: () => new OwnAdapter(),
    createDriver: () => sqliteDriver(file, here ? connectSqliteHere : connectSqlite),
    createIntrospector: db => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}
