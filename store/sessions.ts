import { append } from './activity.ts';
import type { Change } from './database.ts';
import { type OrganisationOf, organisationsOf } from './memberships.ts';
import { fullName } from './names.ts';
import type { IdentityKind, Reader } from './tables.ts';
import { hashToken, newToken } from './tokens.ts';

export type SessionStart = {
  person: number;
  organisation: number | null;
  kind: IdentityKind;
  host: string;
  address: string;
  agent: string;
  now: number;
};

const longestAgent = 300;

/** Starts a session, writes 'session-started', and returns its id and the portal host's token, which is kept nowhere. */
export async function startSession(tx: Change, start: SessionStart): Promise<{ session: number; token: string }> {
  const { person, organisation, kind, host, address, agent, now } = start;
  const { id } = await tx
    .insertInto('sessions')
    .values({
      person_id: person,
      organisation_id: organisation,
      kind,
      created_at: now,
      last_seen_at: now,
      address,
      agent: agent.slice(0, longestAgent),
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  await append(tx, { at: now, kind: 'session-started', actor: person, person, organisation, session: id });
  return { session: id, token: await addToken(tx, { session: id, host, now }) };
}

/** A token for a further host of the same session. Ending the session ends them all. */
export async function addToken(db: Reader, { session, host, now }: { session: number; host: string; now: number }): Promise<string> {
  const token = newToken();
  await db
    .insertInto('session_tokens')
    .values({ token_hash: hashToken(token), session_id: session, host, created_at: now })
    .execute();
  return token;
}

export type FoundSession = {
  sessionId: number;
  person: { id: number; firstName: string; name: string; email: string | null; userId: string; active: boolean };
  kind: IdentityKind;
  organisationId: number | null;
  organisations: OrganisationOf[];
  createdAt: number;
  lastSeenAt: number;
  endedAt: number | null;
  endReason: string | null;
};

function sessionRow(db: Reader, tokenHash: string, host: string) {
  return db
    .selectFrom('session_tokens')
    .innerJoin('sessions', 'sessions.id', 'session_tokens.session_id')
    .innerJoin('people', 'people.id', 'sessions.person_id')
    .innerJoin('identities', join => join.onRef('identities.person_id', '=', 'people.id').onRef('identities.kind', '=', 'sessions.kind'))
    .select(['sessions.id', 'sessions.kind', 'sessions.organisation_id', 'sessions.created_at', 'sessions.last_seen_at'])
    .select([
      'sessions.ended_at',
      'sessions.end_reason',
      'people.id as person_id',
      'people.first_name',
      'people.last_name',
      'people.email',
      'people.active',
    ])
    .select('identities.subject')
    .where('session_tokens.token_hash', '=', tokenHash)
    .where('session_tokens.host', '=', host)
    .orderBy('identities.id')
    .limit(1)
    .executeTakeFirst();
}

/** The session a token stands for on that host, ended or not, with all a request is judged by. */
export async function findSession(db: Reader, tokenHash: string, host: string): Promise<FoundSession | undefined> {
  const row = await sessionRow(db, tokenHash, host);
  if (!row) return undefined;
  const { person_id: id, first_name: firstName, email, subject: userId } = row;
  return {
    sessionId: row.id,
    person: { id, firstName, name: fullName(row), email, userId, active: row.active === 1 },
    kind: row.kind,
    organisationId: row.organisation_id,
    organisations: await organisationsOf(db, id),
    createdAt: row.created_at,
    lastSeenAt: row.last_seen_at,
    endedAt: row.ended_at,
    endReason: row.end_reason,
  };
}

/** Moves last-seen on, never back: several processes write it. */
export async function touchSession(db: Reader, session: number, now: number): Promise<void> {
  await db.updateTable('sessions').set({ last_seen_at: now }).where('id', '=', session).where('last_seen_at', '<', now).execute();
}

export type WhichSessions = { session: number } | { person: number; except?: number; organisation?: number };
export type SessionEnd = { reason: string; by?: number | null; now: number };

/** Ends sessions and writes 'session-ended' for each, so that every process lets go of them. Returns their ids. */
export async function endSessions(tx: Change, which: WhichSessions, { reason, by = null, now }: SessionEnd): Promise<number[]> {
  let query = tx.updateTable('sessions').set({ ended_at: now, end_reason: reason }).where('ended_at', 'is', null);
  if ('session' in which) query = query.where('id', '=', which.session);
  else {
    query = query.where('person_id', '=', which.person);
    if (which.except !== undefined) query = query.where('id', '!=', which.except);
    if (which.organisation !== undefined) query = query.where('organisation_id', '=', which.organisation);
  }
  const ended = await query.returning(['id', 'person_id', 'organisation_id']).execute();
  for (const { id, person_id: person, organisation_id: organisation } of ended) {
    await append(tx, { at: now, kind: 'session-ended', actor: by, person, organisation, session: id, data: { reason } });
  }
  return ended.map(row => row.id);
}

/** Works in another of the person's organisations from now on, and says so in the activity. False if they are no member of it. */
export async function setOrganisation(
  tx: Change,
  { session, organisation, now }: { session: number; organisation: number; now: number },
): Promise<boolean> {
  const row = await tx
    .selectFrom('sessions')
    .innerJoin('memberships', 'memberships.person_id', 'sessions.person_id')
    .select('sessions.person_id')
    .where('sessions.id', '=', session)
    .where('sessions.ended_at', 'is', null)
    .where('memberships.organisation_id', '=', organisation)
    .where('memberships.removed_at', 'is', null)
    .executeTakeFirst();
  if (!row) return false;
  await tx.updateTable('sessions').set({ organisation_id: organisation }).where('id', '=', session).execute();
  const person = row.person_id;
  await append(tx, { at: now, kind: 'session-organisation-changed', actor: person, person, organisation, session });
  return true;
}

/** The organisation a person worked in last, if they still belong to it and it is open; else null. */
export async function lastOrganisation(db: Reader, person: number): Promise<number | null> {
  const row = await db
    .selectFrom('sessions')
    .innerJoin('memberships', join =>
      join.onRef('memberships.person_id', '=', 'sessions.person_id').onRef('memberships.organisation_id', '=', 'sessions.organisation_id'),
    )
    .innerJoin('organisations', 'organisations.id', 'sessions.organisation_id')
    .select('organisations.id')
    .where('sessions.person_id', '=', person)
    .where('memberships.removed_at', 'is', null)
    .where('organisations.closed_at', 'is', null)
    .orderBy('sessions.id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.id ?? null;
}
