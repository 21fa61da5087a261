import type { AppDeps } from '#gateway/deps.ts';
import type { Reader } from '#store/tables.ts';
import { asAdministrator } from './admin-ui-steps.ts';
import { type Browser, startApp, type TestApp } from './app.ts';
import { hostOf, idsOf } from './visits.ts';

/** Who tries every route. All but the last have no business in the school's administration. */
export const personas = [
  'nobody',
  'staff without any right',
  'its administrator without a code',
  'administrator of another organisation',
  'council operator',
  'its administrator',
] as const;
export type Persona = (typeof personas)[number];

const accounts: Record<Exclude<Persona, 'nobody'>, { userId: string; code: boolean }> = {
  'staff without any right': { userId: 'ZBRONT1', code: false },
  'its administrator without a code': { userId: 'SOBRIE4', code: false },
  'administrator of another organisation': { userId: 'JHOWEL12', code: true },
  'council operator': { userId: 'OPSCMC', code: false },
  'its administrator': { userId: 'HMARSH3', code: true },
};

/** A persona at the portal, with a form token of their own session. */
export type Visit = { persona: Persona; browser: Browser; token: string };

/** The demo with the school whose administration everybody tries to get into. */
export type Scene = {
  app: TestApp;
  deps: AppDeps;
  school: number;
  elsewhere: number;
  personOf(userId: string): Promise<number>;
  /** A visit under way, or a new one where the last has ended. */
  visit(persona: Persona): Promise<Visit>;
  /** Tries of passwords and codes count for nobody: only rights do here. */
  forgetTries(): Promise<unknown>;
};

export async function openScene(): Promise<Scene> {
  let given: AppDeps | undefined;
  const app = await startApp({
    change: deps => {
      given = deps;
      return deps;
    },
  });
  const { organisation: school } = await idsOf(app, 'HMARSH3', '2746');
  const { organisation: elsewhere } = await idsOf(app, 'JHOWEL12', 'SP3');
  const visits = new Map<Persona, Visit>();
  const forgetTries = () => app.store.db.deleteFrom('attempts').execute();
  return {
    ...{ app, deps: given!, school, elsewhere, forgetTries },
    personOf: async userId => (await idsOf(app, userId, '2746')).person,
    async visit(persona) {
      const known = visits.get(persona);
      if (known && (await isStillSo(app, known))) return known;
      await forgetTries();
      const visit = await begin(app, persona);
      if (persona !== 'nobody') visits.set(persona, visit);
      return visit;
    },
  };
}

async function begin(app: TestApp, persona: Persona): Promise<Visit> {
  if (persona === 'nobody') {
    const browser = app.browser();
    return { persona, browser, token: tokenIn((await browser.get(`${app.portal}/sign-in`)).body) };
  }
  const { userId, code } = accounts[persona];
  const browser = code ? await asAdministrator(app, userId) : await app.signIn(userId);
  return { persona, browser, token: tokenIn((await browser.get(`${app.portal}/organisation`)).body) };
}

/** False once somebody else has signed in with this browser, the session has ended, or its code has come. */
async function isStillSo(app: TestApp, { persona, browser, token }: Visit): Promise<boolean> {
  const page = await browser.get(`${app.portal}/organisation`, { follow: false });
  if (page.status !== 200 || tokenIn(page.body) !== token) return false;
  const { userId, code } = accounts[persona as Exclude<Persona, 'nobody'>];
  const { person } = await idsOf(app, userId, 'SP3');
  const { db } = app.store;
  const session = await db
    .selectFrom('sessions')
    .select('admin_seen_at')
    .where('person_id', '=', person)
    .orderBy('id', 'desc')
    .executeTakeFirst();
  return (session?.admin_seen_at !== null) === code;
}

const tokenIn = (html: string): string => /name="_csrf" value="([^"]+)"/.exec(html)?.[1] ?? '';

/** Everything of the store that only the right person's form may change, as text that two moments can be compared by. */
export async function picture(db: Reader): Promise<string> {
  const rows = await Promise.all([
    db.selectFrom('activity').select(['id', 'kind']).execute(),
    db.selectFrom('rules').select(['id', 'ends_at', 'revoked_at']).orderBy('id').execute(),
    db.selectFrom('outbox').select(['id', 'template', 'recipient']).orderBy('id').execute(),
    db.selectFrom('people').select(['id', 'active', 'email', 'security_phone']).orderBy('id').execute(),
    db.selectFrom('memberships').select(['person_id', 'organisation_id', 'removed_at', 'version', 'job_role']).execute(),
    db.selectFrom('identities').select(['id', 'subject', 'password_hash']).orderBy('id').execute(),
    db.selectFrom('sessions').select(['id', 'organisation_id', 'admin_seen_at', 'ended_at']).orderBy('id').execute(),
    db.selectFrom('one_time_links').select(['id', 'used_at', 'cancelled_at']).orderBy('id').execute(),
    db.selectFrom('security_codes').select(['id', 'used_at']).orderBy('id').execute(),
  ]);
  return JSON.stringify(rows);
}

/** Where a route is reached: the portal, or a legacy site for what the sites' scope answers. */
export const originOf = ({ app }: Scene, url: string): string =>
  url.startsWith('/.portal/') ? `http://${hostOf(app, 'www3')}` : app.portal;
