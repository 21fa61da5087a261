import { accessSync, constants, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { OperatorFault } from '#config/operator-fault.ts';
import { isBusy } from './sqlite-busy.ts';

export class DataDirFault extends OperatorFault {
  override name = 'DataDirFault';
}

const cannotBeWritten = (dir: string): DataDirFault =>
  new DataDirFault(`The folder ${dir} cannot be written: make it writable for this user, or set DATA_DIR to another folder.`);

// What a gateway or a command may have left there. A backup or a note beside them may belong to whom it likes.
const ours = /^(?:portal\.sqlite(?:-wal|-shm)?|session\.key|gateway\.lock(?:-journal)?|outbox\.jsonl)$/;

/** Throws DataDirFault when this user cannot write the folder, or what is in it, or could not make it. */
export function checkDataDir(dir: string): void {
  if (!existsSync(dir)) {
    // existsSync takes what may not be looked into for missing, so the folder above it is the one to ask.
    if (!mayWrite(nearestThere(dir))) throw cannotBeWritten(dir);
    return;
  }
  // A file may be writable too, but nothing is in it, not even itself.
  if (!mayWrite(`${dir}/.`)) throw cannotBeWritten(dir);
  for (const name of readdirSync(dir)) if (ours.test(name)) checkFile(dir, join(dir, name));
}

/** After a command run as root, the folder may be the gateway's and a file in it not. */
function checkFile(dir: string, file: string): void {
  try {
    accessSync(file, constants.R_OK | constants.W_OK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw new DataDirFault(
      `The file ${file} belongs to another user: give the folder to the user that the gateway runs as (chown -R <user> ${dir}), and run every command as that user.`,
    );
  }
}

function mayWrite(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function nearestThere(dir: string): string {
  const above = dirname(resolve(dir));
  return existsSync(above) || above === dirname(above) ? `${above}/.` : nearestThere(above);
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

/** Nobody else need keep a lock in hand: one that is collected as garbage is closed, and the folder free for a second gateway. */
const held = new Set<DatabaseSync>();

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
  const taken = file;
  held.add(taken);
  return {
    release: () => {
      held.delete(taken);
      taken.close();
    },
  };
}
