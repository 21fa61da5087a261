import { createHmac } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { sameSecret } from '#store/tokens.ts';
import type { KeyRing } from './keys.ts';

/**
 * Every form carries a token derived from the cookie that belongs to it: the session's, or before sign-in the form cookie's. So a
 * token is worth nothing in another browser, and nothing after sign-in (GHSA-2ccf-ffrj-m4qw).
 */
export type FormTokens = { of(secret: string): string; matches(secret: string, token: unknown): boolean };

/** The newest key makes tokens, all of them are accepted. */
export function createFormTokens(keys: KeyRing): FormTokens {
  const make = (key: Buffer, secret: string) => createHmac('sha256', key).update(secret).digest('base64url');
  return {
    of: secret => make(keys[0], secret),
    matches: (secret, token) => typeof token === 'string' && keys.some(key => sameSecret(make(key, secret), token)),
  };
}

/**
 * Whether the browser itself says that a form comes from somewhere else. The portal and the sites are the same *site* to a browser
 * (one registrable domain), so SameSite cookies do not keep a legacy page from posting here; these two headers do.
 */
export function comesFromElsewhere({ headers }: FastifyRequest, portalOrigin: string): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin') return true;
  return headers.origin !== undefined && headers.origin !== portalOrigin;
}
