import type { Settings } from '#config/settings.ts';
import { createFreshCache } from '#policies/fresh-cache.ts';
import type { ActivityKind, Entry } from '#store/activity.ts';
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
  /**
   * Drops what an activity entry makes doubtful: every session of the person it names, unless all it says is that there is one more;
   * and those of all who belong to an organisation that has a new name, or is no more.
   */
  forget(entry: Pick<Entry, 'kind' | 'person' | 'organisation'>): void;
  forgetAll(): void;
};

const KEPT_SESSIONS = 20_000;
const TOUCH_EVERY_MS = 60_000;

const changesOrganisation: ReadonlySet<ActivityKind> = new Set<ActivityKind>(['organisation-changed', 'organisation-closed']);
const ofPerson = (id: number) => `person ${id}`;
const ofOrganisation = (id: number) => `organisation ${id}`;

type Limits = Pick<Settings, 'idleMinutes' | 'absoluteHours'>;

/** Builds the memory of sessions: what is known is answered at once, what a change made doubtful is read again. */
export function createSessions(store: Store, cookies: Cookies, limits: Limits, now: () => number): Sessions {
  const idleMs = limits.idleMinutes * 60_000;
  const absoluteMs = limits.absoluteHours * 3_600_000;
  const touched = new Map<number, number>();
  // By the cookie as it came: opening the seal costs more than everything else a known session needs.
  const rows = createFreshCache<string, Session | null>({
    load: key => loadSession(store, cookies, key),
    max: KEPT_SESSIONS,
    ownersOf: session => (session ? [ofPerson(session.person.id), ...session.organisations.map(({ id }) => ofOrganisation(id))] : []),
    keep: session => session !== null,
  });

  function live(session: Session | null): Session | null {
    const at = now();
    return session && at < session.createdAt + absoluteMs && at < session.lastSeenAt + idleMs ? session : null;
  }

  /** Another process may have seen the person since: the row is read again before a session is called idle. */
  async function readAgain(key: string): Promise<Session | null> {
    rows.drop(key);
    return seen(live(await rows.get(key)));
  }

  function seen(session: Session | null): Session | null {
    if (!session) return null;
    const at = now();
    session.lastSeenAt = at;
    if (at - (touched.get(session.id) ?? 0) >= TOUCH_EVERY_MS) {
      if (touched.size >= KEPT_SESSIONS) touched.clear();
      touched.set(session.id, at);
      // The store cannot be written: nothing is lost but a minute, and the next request tries again.
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
      if (kept instanceof Promise) return kept.then(session => seen(live(session)));
      return kept === null || live(kept) ? seen(kept) : readAgain(key);
    },
    async peek(cookieHeader, host) {
      const sealed = cookies.sealed(cookieHeader, 'session');
      return sealed === null ? null : live(await rows.get(`${host} ${sealed}`));
    },
    forget({ kind, person, organisation }) {
      // At nine o'clock the store is busy with those who sign in, and whoever has done so already would wait behind them.
      if (person !== null && kind !== 'session-started') rows.dropOf(ofPerson(person));
      if (organisation !== null && changesOrganisation.has(kind)) rows.dropOf(ofOrganisation(organisation));
    },
    forgetAll: rows.dropAll,
  };
}

/** Null for a cookie that is not ours, a token nobody knows, a session that has ended, and a person who may no longer sign in. */
async function loadSession(store: Store, cookies: Cookies, key: string): Promise<Session | null> {
  const gap = key.indexOf(' ');
  const host = key.slice(0, gap);
  const token = cookies.open(key.slice(gap + 1));
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
