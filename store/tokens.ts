import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** A new secret for a cookie, a hand-off or a link: 32 random bytes, base64url. */
export const newToken = (): string => randomBytes(32).toString('base64url');

/** What is kept of a token. It is as random as the hash is long, so a plain SHA-256 tells nobody anything. */
export const hashToken = (token: string): string => createHash('sha256').update(token).digest('base64url');

/** Whether two texts are the same, in a time that does not tell how much of them is. */
export function sameSecret(expected: string, given: string): boolean {
  const [a, b] = [Buffer.from(expected), Buffer.from(given)];
  return a.length === b.length && timingSafeEqual(a, b);
}
