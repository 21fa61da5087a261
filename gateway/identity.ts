import type { FastifyRequest } from 'fastify';
import { identityHeaders } from './headers.ts';
import { type IdentityTokens, TOKEN_SECONDS } from './identity-token.ts';
import type { Session } from './sessions.ts';

/** Who the legacy page is told is there, as headers; null on open pages, which are not ours to introduce anybody to. */
export type IdentityOf = (request: FastifyRequest) => readonly string[] | null;

type Known = { headers: readonly string[]; renewAt: number };

const RENEW_MS = (TOKEN_SECONDS - 60) * 1000;

/**
 * Encoded and signed once for each session and service, and again a minute before the token's end. A session that changes in any way,
 * its organisation too, is a new object, and what was signed goes with the old one.
 */
export function createIdentities(tokens: IdentityTokens, now: () => number): IdentityOf {
  const known = new WeakMap<Session, Map<string, Known>>();

  return ({ page, site, signedIn: session }) => {
    if (!session?.organisation || !page || !site || page.kind === 'open') return null;
    // Two services of one host must not be able to use each other's tokens.
    const audience = page.service ?? site.host;
    const found = known.get(session)?.get(audience);
    if (found && found.renewAt > now()) return found.headers;
    const made = { headers: introduce(session, session.organisation, page.service, audience), renewAt: now() + RENEW_MS };
    known.set(session, (known.get(session) ?? new Map()).set(audience, made));
    return made.headers;
  };

  function introduce({ person }: Session, organisation: NonNullable<Session['organisation']>, service: string | null, audience: string) {
    const claims = {
      aud: audience,
      sub: `u:${person.id}`,
      preferred_username: person.userId,
      name: person.name,
      ...(person.email === null ? {} : { email: person.email }),
      organisation: organisation.name,
      organisation_code: organisation.code,
    };
    return identityHeaders({
      userId: person.userId,
      name: person.name,
      email: person.email,
      organisationCode: organisation.code,
      organisationName: organisation.name,
      service: service ?? '',
      token: tokens.sign(claims, now()),
    });
  }
}
