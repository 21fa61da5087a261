const SQLITE_BUSY = 5;

/** Whether SQLite gave up because somebody else has been writing for longer than it waits. */
export const isBusy = (error: unknown): boolean => error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;
