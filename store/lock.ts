import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

export class DataDirFault extends Error {
  override name = 'DataDirFault';
}

const busy = 5;

/**
 * Takes a folder for this process alone, making it if need be. Throws DataDirFault, in one sentence, when another gateway has
 * it or it cannot be written. The lock is SQLite's on a file nobody reads, so the operating system frees it even after kill -9.
 */
export async function lockDataDir(dir: string): Promise<{ release(): void }> {
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 });
    await access(dir, constants.W_OK | constants.X_OK);
  } catch {
    throw new DataDirFault(`The folder ${dir} cannot be written: make it writable for this user, or set DATA_DIR to another folder.`);
  }
  let file: DatabaseSync | undefined;
  try {
    file = new DatabaseSync(join(dir, 'gateway.lock'), { timeout: 0 });
    file.exec('begin exclusive');
  } catch (error) {
    file?.close();
    if ((error as { errcode?: number }).errcode === busy) {
      throw new DataDirFault(`Another gateway is using the folder ${dir}: stop it first, or set DATA_DIR to another folder.`);
    }
    throw new DataDirFault(`The folder ${dir} cannot be written: make it writable for this user, or set DATA_DIR to another folder.`);
  }
  const held = file;
  return { release: () => held.close() };
}
