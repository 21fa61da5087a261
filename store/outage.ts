// What a database says that cannot do its work at the moment, through no fault of the question.

// https://sqlite.org/rescode.html: busy, locked, read-only, I/O error, disk full, cannot open. The higher bits tell the rarer reasons.
const sqliteReasons = [5, 6, 8, 10, 13, 14];
// https://www.postgresql.org/docs/current/errcodes-appendix.html: the connection (08), undone because of others (40), no room or no free
// connection (53), stopped by an operator or a time limit (57), the machine (58); read-only (25006), idle for too long (25P03), locked (55P03)
const postgresCodes = /^(?:08|40|53|57|58|25006|25P03|55P03)/;
const noConnection = /^(?:ECONN|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|EPIPE)/;
// The client of PostgreSQL gives these no code.
const connectionLost =
  /^(?:Connection terminated|Query read timeout|timeout exceeded when trying to connect|Client has encountered a connection error)/;

type Fault = { code?: unknown; errcode?: unknown };

/** Whether PostgreSQL cannot be reached, or could not be any longer. */
export function isUnreachable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as Fault;
  return noConnection.test(String(code)) || connectionLost.test(error.message);
}

/** Whether the store failed because of its server, its disk or its other users: trying again later is what helps. */
export function isOutage(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, errcode } = error as Fault;
  if (typeof errcode === 'number') return sqliteReasons.includes(errcode & 0xff);
  return isUnreachable(error) || postgresCodes.test(String(code));
}
