const SQLITE_BUSY = 5;

/** For how long whoever asks waits for another process's writing to end, and how often they look. */
export const patienceMs = 5000;
export const lookEveryMs = 2;

/** Whether SQLite gave up because somebody else has been writing for longer than it waits. */
export const isBusy = (error: unknown): boolean => error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;
