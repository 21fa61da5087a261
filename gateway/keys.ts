import { hkdfSync, randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OperatorFault } from '#config/operator-fault.ts';
import type { Settings } from '#config/settings.ts';

/** One secret, several purposes: each purpose gets a key of its own (HKDF, RFC 5869), so that none can stand in for another. */
export type Keys = { session: Buffer[]; csrf: Buffer[]; code: Buffer; seal: Buffer; unseal: Buffer[]; identity: Buffer[] };

const FILE = 'session.key';

export class KeyFault extends OperatorFault {
  override name = 'KeyFault';
}

/** The keys of the settings, newest first, or the one that this installation made for itself and keeps beside its data. */
export function loadKeys(settings: Pick<Settings, 'sessionKeys' | 'dataDir'>): Keys {
  const masters = (settings.sessionKeys.length > 0 ? settings.sessionKeys : [ownKey(settings.dataDir)]).map(key =>
    Buffer.from(key, 'base64'),
  );
  const newest = masters[0]!;
  return {
    session: masters.map(master => derive(master, 'session cookie')),
    csrf: masters.map(master => derive(master, 'form token')),
    identity: masters.map(master => derive(master, 'identity token')),
    code: derive(newest, 'security code'),
    seal: derive(newest, 'outbox secret'),
    unseal: masters.map(master => derive(master, 'outbox secret')),
  };
}

const derive = (master: Buffer, purpose: string) => Buffer.from(hkdfSync('sha256', master, '', `services portal ${purpose}`, 32));

function ownKey(dataDir: string): string {
  const file = join(dataDir, FILE);
  return keptKey(file) ?? makeKey(dataDir, file);
}

function keptKey(file: string): string | null {
  const key = textOf(file)?.trim();
  if (key === undefined) return null;
  if (/^[A-Za-z0-9+/]{43}=$/.test(key)) return key;
  throw new KeyFault(
    `The key in ${file} is not 32 bytes in base64: restore the file from a backup, or delete it, which ends every session and breaks the links in e-mails not sent yet.`,
  );
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return undefined;
  }
}

/**
 * The gateway and the command line may both find no key at the same moment. Each writes one under a name of its own, and the first
 * to give it the real name wins; so nobody reads a file that is still being written.
 */
function makeKey(dataDir: string, file: string): string {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const own = `${file}.${randomBytes(6).toString('hex')}`;
  writeFileSync(own, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600, flag: 'wx', flush: true });
  try {
    linkSync(own, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(own);
  }
  return keptKey(file) ?? makeKey(dataDir, file);
}
