import { hkdfSync, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from '#config/settings.ts';

/** One secret, several purposes: each purpose gets a key of its own (HKDF, RFC 5869), so that none can stand in for another. */
export type Keys = { session: Buffer[]; csrf: Buffer[]; code: Buffer; seal: Buffer };

const FILE = 'session.key';

/** The keys of the settings, newest first, or the one that this installation made for itself and keeps beside its data. */
export function loadKeys(settings: Pick<Settings, 'sessionKeys' | 'dataDir'>): Keys {
  const masters = (settings.sessionKeys.length > 0 ? settings.sessionKeys : [ownKey(settings.dataDir)]).map(key =>
    Buffer.from(key, 'base64'),
  );
  const newest = masters[0]!;
  return {
    session: masters.map(master => derive(master, 'session cookie')),
    csrf: masters.map(master => derive(master, 'form token')),
    code: derive(newest, 'security code'),
    seal: derive(newest, 'outbox secret'),
  };
}

const derive = (master: Buffer, purpose: string) => Buffer.from(hkdfSync('sha256', master, '', `services portal ${purpose}`, 32));

function ownKey(dataDir: string): string {
  const file = join(dataDir, FILE);
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  mkdirSync(dataDir, { recursive: true });
  const key = randomBytes(32).toString('base64');
  writeFileSync(file, `${key}\n`, { mode: 0o600, flag: 'wx' });
  return key;
}
