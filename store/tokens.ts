import { createHash, randomBytes } from 'node:crypto';

/** A new secret for a cookie, a hand-off or a link: 32 random bytes, base64url. */
export const newToken = (): string => randomBytes(32).toString('base64url');

/** What is kept of a token. It is as random as the hash is long, so a plain SHA-256 tells nobody anything. */
export const hashToken = (token: string): string => createHash('sha256').update(token).digest('base64url');
