import type { FastifyRequest } from 'fastify';
import type { Page } from '#config/catalogue.ts';
import { identityHeaders } from './forwarding/headers.ts';
import { type IdentityTokens, TOKEN_SECONDS } from './identity-token.ts';
import type { Session } from './sessions.ts';

/** Who the legacy page is told is there, as headers; null on open pages, which are not ours to introduce anybody to. */
export type IdentityOf = (request: FastifyRequest) => readonly string[] | null;

type Token = { text: string; renewAt: number };
type Known = { headers: readonly string[]; renewAt: number };
type Organisation = NonNullable<Session['organisation']>;

const RENEW_MS = (TOKEN_SECONDS - 60) * 1000;

/**
 * Signed once for each session and service, and again a minute before the token's end; encoded once for each page, which may have names
 * of its own for the headers. A session that changes in any way, its organisation too, is a new object, and what was signed goes with
 * the old one.
 */
export function createIdentities(tokens: IdentityTokens, now: () => number): IdentityOf {
  const known = new WeakMap<Session, Map<Page, Known>>();
  const signed = new WeakMap<Session, Map<string, Token>>();

  return ({ page, site, signedIn: session }) => {
    if (!session?.organisation || !page || !site || page.kind === 'open') return null;
    const found = known.get(session)?.get(page);
    if (found && found.renewAt > now()) return found.headers;
    // Two services of one host must not be able to use each other's tokens.
    const token = tokenFor(session, session.organisation, page.service ?? site.host);
    const made = { headers: introduce(session, session.organisation, page, token.text), renewAt: token.renewAt };
    known.set(session, (known.get(session) ?? new Map()).set(page, made));
    return made.headers;
  };

  function tokenFor(session: Session, organisation: Organisation, audience: string): Token {
    const found = signed.get(session)?.get(audience);
    if (found && found.renewAt > now()) return found;
    const made = { text: tokens.sign(claimsOf(session, organisation, audience), now()), renewAt: now() + RENEW_MS };
    signed.set(session, (signed.get(session) ?? new Map()).set(audience, made));
    return made;
  }
}

const claimsOf = ({ person }: Session, organisation: Organisation, audience: string) => ({
  aud: audience,
  sub: `u:${person.id}`,
  preferred_username: person.userId,
  name: person.name,
  ...(person.email === null ? {} : { email: person.email }),
  organisation: organisation.name,
  organisation_code: organisation.code,
});

const introduce = ({ person }: Session, organisation: Organisation, page: Page, token: string) =>
  identityHeaders(
    {
      userId: person.userId,
      name: person.name,
      email: person.email,
      organisationCode: organisation.code,
      organisationName: organisation.name,
      service: page.service ?? '',
      token,
    },
    page.headers,
  );
