import { hkdfSync, randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OperatorFault } from '#config/operator-fault.ts';
import type { Settings } from '#config/settings.ts';

/** One secret, several purposes: each purpose gets a key of its own (HKDF, RFC 5869), so that none can stand in for another. */
export type Keys = { session: KeyRing; csrf: KeyRing; code: Buffer; seal: Buffer; unseal: KeyRing; keptForm: KeyRing; identity: KeyRing };

/** Newest first: the newest makes what is new, the others still open what they made, so that a key can be changed. */
export type KeyRing = readonly [Buffer, ...Buffer[]];

export const keyFile = 'session.key';

export class KeyFault extends OperatorFault {
  override name = 'KeyFault';
}

/** The keys of the settings, or the one that this installation made for itself and keeps beside its data. */
export function loadKeys(settings: Pick<Settings, 'sessionKeys' | 'dataDir'>): Keys {
  const [newest = ownKey(settings.dataDir), ...older] = settings.sessionKeys;
  const ringFor = (purpose: string): KeyRing => [derive(newest, purpose), ...older.map(master => derive(master, purpose))];
  return {
    session: ringFor('session cookie'),
    csrf: ringFor('form token'),
    identity: ringFor('identity token'),
    keptForm: ringFor('kept form'),
    code: derive(newest, 'security code'),
    seal: derive(newest, 'outbox secret'),
    unseal: ringFor('outbox secret'),
  };
}

const derive = (master: string, purpose: string) =>
  Buffer.from(hkdfSync('sha256', Buffer.from(master, 'base64'), '', `services portal ${purpose}`, 32));

function ownKey(dataDir: string): string {
  const file = join(dataDir, keyFile);
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
