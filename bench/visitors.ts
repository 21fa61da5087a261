import fastify from 'fastify';
import { readSettings } from '#config/settings.ts';
import { addCookies } from '#gateway/cookies.ts';
import { loadKeys } from '#gateway/keys.ts';
import type { Policies } from '#policies/policies.ts';
import type { Store } from '#store/database.ts';
import { startSession } from '#store/sessions.ts';
import type { IdentityKind, Reader } from '#store/tables.ts';
import type { Env } from '#tests/command-line-steps.ts';
import { type CountySize, servicesOf } from './county.ts';
import type { Visit } from './load.ts';
import { countyPolicies } from './scale-policies.ts';

export type Person = { person: number; organisation: number; kind: IdentityKind };
export type Session = { session: number; cookie: string };

/** Where the county's pages are. */
export const site = 'www3.hants.gov.uk';
export const portalHost = 'portal.hants.gov.uk';
/** What the proxy in front would say. */
export const behindTls = { 'x-forwarded-proto': 'https' };

/** So many at a time: everything at once would be one long transaction. */
export function* portionsOf<T>(all: readonly T[], size = 50): Generator<T[]> {
  for (let start = 0; start < all.length; start += size) yield all.slice(start, start + size);
}

/** Begins a session for each of them, as the store and the cookies of this place have it, with what their browser would send to that host. */
export async function signInAll(store: Store, env: Env, host: string, people: readonly Person[]): Promise<Session[]> {
  const settings = readSettings(env);
  const app = fastify();
  const cookies = await addCookies(app, loadKeys(settings).session, true, settings.absoluteHours * 3600);
  app.get('/:token', (asked, reply) => {
    cookies.set(reply, 'session', (asked.params as { token: string }).token);
    return '';
  });
  const sessions: Session[] = [];
  const where = { host, address: '127.0.0.1', agent: 'bench' };
  for (const some of portionsOf(people)) {
    const started = await store.change(async tx => {
      const begun = [];
      for (const who of some) begun.push(await startSession(tx, { ...who, ...where, now: Date.now() }));
      return begun;
    });
    for (const { session, token } of started) {
      const { headers } = await app.inject(`/${token}`);
      sessions.push({ session, cookie: String(headers['set-cookie']).split(';')[0]! });
    }
  }
  await app.close();
  return sessions;
}

/** So many visits of a county's people, each signed in and asking for a page that they may open; of as many organisations as there are. */
export async function visitsOf(store: Store, env: Env, size: CountySize, count: number): Promise<Visit[]> {
  const people = await guestsOf(store.db, size, count);
  const sessions = await signInAll(store, env, site, people);
  return people.map(({ user, service }, index) => ({
    ...{ user, service, path: `/county/${service}/page.html` },
    headers: { host: site, ...behindTls, accept: 'text/html', cookie: sessions[index]!.cookie },
  }));
}

type Guest = Person & { user: string; service: string };

/** One of each organisation in turn, and then another one of each; of organisations from the whole list, if there are more of them. */
async function guestsOf(db: Reader, size: CountySize, count: number): Promise<Guest[]> {
  const policies = countyPolicies(db, size, Date.now);
  const all = await db.selectFrom('organisations').select('id').orderBy('id').execute();
  const step = Math.max(1, all.length / count);
  const able: Guest[][] = [];
  for (let place = 0; Math.floor(place) < all.length && able.length < count; place += step) {
    const { id } = all[Math.floor(place)]!;
    able.push(await allowedIn(db, policies, servicesOf(size), id));
  }
  return Array.from({ length: count }, (_, index) => {
    const here = able[index % able.length]!;
    return here[Math.floor(index / able.length) % here.length]!;
  });
}

/** Everybody in an organisation who may open something, with the first service of those; not its administrators, who are kept for signing in. */
async function allowedIn(db: Reader, policies: Policies, services: readonly string[], organisation: number): Promise<Guest[]> {
  const members = await db
    .selectFrom('memberships')
    .innerJoin('identities', 'identities.person_id', 'memberships.person_id')
    .select(['identities.person_id as person', 'identities.kind', 'identities.subject as user'])
    .where('memberships.organisation_id', '=', organisation)
    .where('identities.kind', '=', 'education')
    .orderBy('identities.person_id')
    .execute();
  const guests: Guest[] = [];
  for (const member of members) {
    for (const service of services) {
      const { outcome } = await policies.decide({ person: member.person, organisation, service, action: 'use' });
      if (outcome !== 'allow') continue;
      guests.push({ ...member, organisation, service });
      break;
    }
  }
  if (guests.length === 0) throw new Error(`nobody of organisation ${organisation} may open anything`);
  return guests;
}
