import { createECDH, createHash, createPrivateKey, type KeyObject, sign } from 'node:crypto';
import type { KeyRing } from './keys.ts';

type PublicKey = Record<'kty' | 'crv' | 'x' | 'y' | 'kid' | 'use' | 'alg', string>;

/**
 * Who is there, signed, for legacy applications that can check a signature and need not trust the network in between: a JWT (RFC 7519,
 * ES256) and the addresses of its keys (RFC 7517). Written here and not by a library, because every library signs by promise, and a
 * request that is judged in memory must not wait.
 */
export type IdentityTokens = {
  /** Signs claims for five minutes from now. */
  sign(claims: Claims, now: number): string;
  /** The public keys, newest first, as an application fetches them. */
  jwks: { keys: PublicKey[] };
};

/** `sub` is the person's own id and never another's; a user ID may be given to somebody else one day. */
export type Claims = {
  aud: string;
  sub: string;
  preferred_username: string;
  name: string;
  email?: string;
  organisation: string;
  organisation_code: string;
};

export const TOKEN_SECONDS = 300;

/** @param secrets 32 bytes each: the newest signs, the others' signatures can still be checked */
export function createIdentityTokens(issuer: string, [secret, ...older]: KeyRing): IdentityTokens {
  const newest = signingKey(secret);
  const keys = [newest, ...older.map(signingKey)];
  const head = encode({ alg: 'ES256', typ: 'JWT', kid: newest.publicKey.kid });
  return {
    jwks: { keys: keys.map(({ publicKey }) => publicKey) },
    sign(claims, now) {
      const iat = Math.floor(now / 1000);
      const text = `${head}.${encode({ iss: issuer, ...claims, iat, exp: iat + TOKEN_SECONDS })}`;
      return `${text}.${sign('sha256', Buffer.from(text), { key: newest.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
    },
  };
}

const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');

/** The same secret makes the same key in every process and after every start, so that nothing else need be kept. */
function signingKey(secret: Buffer): { privateKey: KeyObject; publicKey: PublicKey } {
  const curve = createECDH('prime256v1');
  curve.setPrivateKey(secret);
  const point = curve.getPublicKey();
  const x = point.subarray(1, 33).toString('base64url');
  const y = point.subarray(33).toString('base64url');
  const key = { kty: 'EC', crv: 'P-256', x, y };
  // RFC 7638: the members in this order, without spaces.
  const kid = createHash('sha256').update(`{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`).digest('base64url');
  const privateKey = createPrivateKey({ key: { ...key, d: secret.toString('base64url') }, format: 'jwk' });
  return { privateKey, publicKey: { ...key, kid, use: 'sig', alg: 'ES256' } };
}
