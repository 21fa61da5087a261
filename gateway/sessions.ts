import type { Settings } from '#config/settings.ts';
import { createFreshCache } from '#policies/fresh-cache.ts';
import type { Entry } from '#store/activity.ts';
import type { Store } from '#store/database.ts';
import type { OrganisationOf } from '#store/memberships.ts';
import { findSession, touchSession } from '#store/sessions.ts';
import { hashToken } from '#store/tokens.ts';
import type { Cookies } from './cookies.ts';

/** A signed-in person's session as one host sees it. `lastSeenAt` moves with every request and reaches the store once a minute. */
export type Session = {
  id: number;
  token: string;
  host: string;
  person: { id: number; firstName: string; name: string; email: string | null; userId: string };
  organisation: OrganisationOf | null;
  organisations: OrganisationOf[];
  createdAt: number;
  lastSeenAt: number;
};

export type Sessions = {
  /** The session of a request's cookie on that host; synchronous, and without any I/O, when it is known to this process. */
  read(cookieHeader: string | undefined, host: string): Session | null | Promise<Session | null>;
  /** The same without counting as being seen: an open socket must not keep a session from going idle. */
  peek(cookieHeader: string | undefined, host: string): Promise<Session | null>;
  /** Drops what an activity entry makes doubtful. */
  forget(entry: Pick<Entry, 'session' | 'person'>): void;
};

const KEPT_SESSIONS = 20_000;
const TOUCH_EVERY_MS = 60_000;

type Limits = Pick<Settings, 'idleMinutes' | 'absoluteHours'>;

/** Builds the memory of sessions: what is known is answered at once, and never once a change was told. */
export function createSessions(store: Store, cookies: Cookies, limits: Limits, now: () => number): Sessions {
  const idleMs = limits.idleMinutes * 60_000;
  const absoluteMs = limits.absoluteHours * 3_600_000;
  const touched = new Map<number, number>();
  // By the cookie as it came: opening the seal costs more than everything else a known session needs.
  const rows = createFreshCache<string, Session | null>({
    load: key => loadSession(store, cookies, key),
    max: KEPT_SESSIONS,
    keep: session => session !== null,
  });

  const withinLimits = (session: Session, at: number) => at < session.createdAt + absoluteMs && at < session.lastSeenAt + idleMs;

  /** Another process may have seen the person since: the row is read again before a session is called idle. */
  async function readAgain(key: string): Promise<Session | null> {
    rows.drop(key);
    const session = await rows.get(key);
    return session && withinLimits(session, now()) ? seen(session) : null;
  }

  function seen(session: Session): Session {
    const at = now();
    session.lastSeenAt = at;
    if (at - (touched.get(session.id) ?? 0) >= TOUCH_EVERY_MS) {
      if (touched.size >= KEPT_SESSIONS) touched.clear();
      touched.set(session.id, at);
      touchSession(store.db, session.id, at).catch(() => touched.delete(session.id));
    }
    return session;
  }

  return {
    read(cookieHeader, host) {
      const sealed = cookies.sealed(cookieHeader, 'session');
      if (sealed === null) return null;
      const key = `${host} ${sealed}`;
      const kept = rows.get(key);
      if (kept instanceof Promise) return kept.then(session => (session && withinLimits(session, now()) ? seen(session) : null));
      if (!kept) return null;
      return withinLimits(kept, now()) ? seen(kept) : readAgain(key);
    },
    async peek(cookieHeader, host) {
      const sealed = cookies.sealed(cookieHeader, 'session');
      const session = sealed === null ? null : await rows.get(`${host} ${sealed}`);
      return session && withinLimits(session, now()) ? session : null;
    },
    forget({ session, person }) {
      if (session === null && person === null) return;
      rows.dropWhere((_key, kept) => kept !== null && (kept.id === session || kept.person.id === person));
    },
  };
}

/** Null for a cookie that is not ours, a token nobody knows, a session that has ended, and a person who may no longer sign in. */
async function loadSession(store: Store, cookies: Cookies, key: string): Promise<Session | null> {
  const [host = '', sealed = ''] = key.split(' ');
  const token = cookies.open(sealed);
  if (token === null) return null;
  const found = await findSession(store.db, hashToken(token), host);
  if (!found || found.endedAt !== null || !found.person.active) return null;
  const { sessionId: id, person, organisationId, organisations, createdAt, lastSeenAt } = found;
  return {
    id,
    token,
    host,
    person,
    organisation: organisations.find(organisation => organisation.id === organisationId) ?? null,
    organisations,
    createdAt,
    lastSeenAt,
  };
}
