import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const version = 'v1';
const ivBytes = 12;
const tagBytes = 16;

export class SealBroken extends Error {
  override name = 'SealBroken';
}

/** Encrypts a secret for the database: AES-256-GCM under a 32-byte key, readable again only for the same purpose. */
export function seal(key: Uint8Array, purpose: string, secret: string): string {
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: tagBytes }).setAAD(Buffer.from(purpose));
  const sealed = Buffer.concat([iv, cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return `${version}.${sealed.toString('base64url')}`;
}

/** Opens it with whichever of the keys sealed it, so that a key can be changed while something waits. */
export function unsealWithAny(keys: readonly Uint8Array[], purpose: string, sealed: string): string {
  let broken: unknown = new SealBroken('There is no key to open this with.');
  for (const key of keys) {
    try {
      return unseal(key, purpose, sealed);
    } catch (error) {
      broken = error;
    }
  }
  throw broken;
}

/** Opens what `seal` made. Throws SealBroken when the key, the purpose or a bit of it is another. */
export function unseal(key: Uint8Array, purpose: string, sealed: string): string {
  const [prefix, text] = sealed.split('.');
  const bytes = Buffer.from(text ?? '', 'base64url');
  if (prefix !== version || bytes.length < ivBytes + tagBytes) throw new SealBroken('This is not a sealed secret.');
  const end = bytes.length - tagBytes;
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, ivBytes), { authTagLength: tagBytes });
    decipher.setAAD(Buffer.from(purpose)).setAuthTag(bytes.subarray(end));
    return Buffer.concat([decipher.update(bytes.subarray(ivBytes, end)), decipher.final()]).toString('utf8');
  } catch {
    throw new SealBroken('The secret was sealed with another key or for another purpose, or it was changed.');
  }
}
