import type { FastifyRequest } from 'fastify';
import { identityHeaders } from './headers.ts';
import type { Session } from './sessions.ts';

/** Encoded once for each session and service. A session that changes in any way is a new object, and its headers go with the old one. */
const known = new WeakMap<Session, Map<string, readonly string[]>>();

/** Who the legacy page is told is there. Null on open pages, which are not ours to introduce anybody to. */
export function identityOf({ page, signedIn: session }: FastifyRequest): readonly string[] | null {
  if (!session?.organisation || !page || page.kind === 'open') return null;
  return known.get(session)?.get(page.service ?? '') ?? introduce(session, session.organisation, page.service ?? '');
}

function introduce(session: Session, organisation: NonNullable<Session['organisation']>, service: string): readonly string[] {
  const headers = identityHeaders(identityFor(session, organisation, service));
  known.set(session, (known.get(session) ?? new Map()).set(service, headers));
  return headers;
}

const identityFor = ({ person }: Session, organisation: NonNullable<Session['organisation']>, service: string) => ({
  userId: person.userId,
  name: `${person.firstName} ${person.lastName}`.trim(),
  email: person.email,
  organisationCode: organisation.code,
  organisationName: organisation.name,
  service,
});
