const SQLITE_BUSY = 5;

/** For how long whoever asks waits for another process's writing to end, and how often they look. */
export const patienceMs = 5000;
export const lookEveryMs = 2;

/**
 * Whether SQLite gave up because somebody else writes, or puts in order what somebody who was killed has left. The rarer reasons stand
 * in the higher bits (https://sqlite.org/rescode.html).
 */
export const isBusy = (error: unknown): boolean =>
  error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' && (error.errcode & 0xff) === SQLITE_BUSY;
