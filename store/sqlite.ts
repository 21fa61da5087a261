import { setTimeout } from 'node:timers/promises';
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
import { isBusy, lookEveryMs, patienceMs } from './sqlite-busy.ts';
import { connectSqlite, connectSqliteHere, type SqliteConnection } from './sqlite-thread.ts';
import { refuseInsideTransaction } from './transaction-guard.ts';

/** One at a time, in the order in which they came; or before all others who wait. */
function queue() {
  const waiting: (() => void)[] = [];
  let taken = false;
  return {
    async enter(first = false) {
      if (taken) await new Promise<void>(resolve => (first ? waiting.unshift(resolve) : waiting.push(resolve)));
      taken = true;
    },
    leave() {
      const next = waiting.shift();
      if (next) next();
      else taken = false;
    },
  };
}

const leastPatienceMs = 250;

/** The one connection, as one asker has it from the answer to acquireConnection to releaseConnection. */
type Lease = DatabaseConnection & { holdsTurn: boolean };

function sqliteDriver(file: string, connect: (file: string) => Promise<SqliteConnection>): Driver {
  const turn = queue();
  const lookout = queue();
  let connection: SqliteConnection;

  /**
   * Tries again while another process is writing, for as long as whoever asks has patience, counted from when they asked. Meanwhile the
   * others have their turn: readers do not need the lock, and many writers must not wait out their patience one behind the other. Only
   * the one that has waited longest looks whether the lock is free, before everybody else: an import leaves it free for moments only,
   * and behind a long queue all of them would be missed; and if all writers looked, readers would wait for them.
   */
  function lease(asked: number): Lease {
    const own: Lease = {
      holdsTurn: false,
      streamQuery: (query, size) => connection.streamQuery(query, size),
      async executeQuery<R>(query: CompiledQuery) {
        let deadline: number | null = null;
        let looksOut = false;
        try {
          for (;;) {
            try {
              return await connection.executeQuery<R>(query);
            } catch (error) {
              const now = performance.now();
              // Whoever has waited for their turn until now has not met the lock yet.
              deadline ??= Math.max(asked + patienceMs, now + leastPatienceMs);
              if (!isBusy(error) || now > deadline) throw error;
            }
            // A transaction keeps its turn, and must not wait for anybody who waits for that.
            if (own.holdsTurn) {
              await setTimeout(lookEveryMs);
              continue;
            }
            turn.leave();
            // Whoever takes over the lookout does so because the one before it got the lock, or gave up: it looks at once.
            if (looksOut) await setTimeout(lookEveryMs);
            else await lookout.enter();
            looksOut = true;
            await turn.enter(true);
          }
        } finally {
          if (looksOut) lookout.leave();
        }
      },
    };
    return own;
  }

  const run = async (on: DatabaseConnection, sql: string) => {
    await on.executeQuery(CompiledQuery.raw(sql));
  };
  return {
    async init() {
      connection = await connect(file);
    },
    async acquireConnection() {
      refuseInsideTransaction();
      const own = lease(performance.now());
      await turn.enter();
      return own;
    },
    // A plain "begin" takes the write lock only at the first write, and then fails instead of waiting if another process wrote since.
    async beginTransaction(on: DatabaseConnection, settings: TransactionSettings) {
      await run(on, settings.accessMode === 'read only' ? 'begin' : 'begin immediate');
      (on as Lease).holdsTurn = true;
    },
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
