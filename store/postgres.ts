import { type Dialect, PostgresDialect } from 'kysely';
import pg from 'pg';
import { refuseInsideTransaction } from './transaction-guard.ts';

const bigint = 20;

/** Kysely's way to PostgreSQL: `max` connections, no statement longer than ten seconds, big integers as numbers. */
export function postgresDialect(url: string, onError: (error: unknown) => void, max = 10): Dialect {
  const pool = new pg.Pool({
    connectionString: url,
    max,
    connectionTimeoutMillis: 5_000,
    statement_timeout: 10_000,
    query_timeout: 12_000,
    idle_in_transaction_session_timeout: 15_000,
    keepAlive: true,
    types: {
      getTypeParser: (oid: number, format?: 'text' | 'binary') => (oid === bigint ? Number : pg.types.getTypeParser(oid, format as 'text')),
    } as pg.CustomTypesConfig,
  });
  // Without a listener, an idle connection that the server closes would end the process.
  pool.on('error', onError);
  // So would one that is lent out and closed between two statements; whoever has borrowed it hears of it with the next.
  pool.on('connect', client => client.on('error', () => {}));
  const connect = async () => {
    refuseInsideTransaction();
    return pool.connect();
  };
  return new PostgresDialect({ pool: { options: pool.options, connect, end: () => pool.end() } });
}
