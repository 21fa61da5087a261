import type { FastifyRequest } from 'fastify';
import { type Headers, identityHeaders } from './headers.ts';
import type { Session } from './sessions.ts';

/** Encoded once for each session and service. A session that changes in any way is a new object, and its headers go with the old one. */
const known = new WeakMap<Session, Map<string, Headers>>();

/** Who the legacy page is told is there. Null on open pages, which are not ours to introduce anybody to. */
export function identityOf({ page, signedIn: session }: FastifyRequest): Headers | null {
  if (!session?.organisation || !page || page.kind === 'open') return null;
  const service = page.service ?? '';
  const headers = known.get(session)?.get(service) ?? identityHeaders(identityFor(session, session.organisation, service));
  if (!known.has(session)) known.set(session, new Map());
  known.get(session)?.set(service, headers);
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
