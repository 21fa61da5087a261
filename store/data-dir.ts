import { accessSync, constants, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { OperatorFault } from '#config/operator-fault.ts';
import { isBusy } from './sqlite-busy.ts';

export class DataDirFault extends OperatorFault {
  override name = 'DataDirFault';
}

const cannotBeWritten = (dir: string): DataDirFault =>
  new DataDirFault(`The folder ${dir} cannot be written: make it writable for this user, or set DATA_DIR to another folder.`);

/** Throws DataDirFault when the folder is there and cannot be written. */
export function checkDataDir(dir: string): void {
  if (!existsSync(dir)) return;
  try {
    // A file may be writable too, but nothing is in it, not even itself.
    accessSync(`${dir}/.`, constants.W_OK | constants.X_OK);
  } catch {
    throw cannotBeWritten(dir);
  }
}

/** Makes the folder if need be, for this user alone. Throws DataDirFault when that cannot be done. */
export function makeDataDir(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
  } catch {
    throw cannotBeWritten(dir);
  }
  checkDataDir(dir);
}

/**
 * Takes a folder for this process alone, making it if need be. Throws DataDirFault when another gateway has it or it cannot be
 * written. The lock is SQLite's on a file nobody reads, so the operating system frees it even after kill -9.
 */
export function lockDataDir(dir: string): { release(): void } {
  makeDataDir(dir);
  let file: DatabaseSync | undefined;
  try {
    file = new DatabaseSync(join(dir, 'gateway.lock'), { timeout: 0 });
    file.exec('begin exclusive');
  } catch (error) {
    file?.close();
    if (!isBusy(error)) throw cannotBeWritten(dir);
    throw new DataDirFault(`Another gateway is using the folder ${dir}: stop it first, or set DATA_DIR to another folder.`);
  }
  const held = file;
  return { release: () => held.close() };
}
