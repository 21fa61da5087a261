import { append } from '#store/activity.ts';
import { type Change, connections, type Store } from '#store/database.ts';
import type { Answer, Browser, DemoPlace, TestApp } from './app.ts';

const protectedPaths = { www3: '/efs/', www: '/educationandlearning/governors', intranet: '/ictinschools.htm' } as const;
export type SiteName = keyof typeof protectedPaths;

export const hostOf = (app: Pick<DemoPlace, 'port'>, name: SiteName | 'portal'): string => `${name}.hants.localhost:${app.port}`;

/** What the browser would send to a host. */
export function cookiesOf(browser: Browser, name: SiteName | 'portal'): string {
  return [...(browser.cookies.get(`${name}.hants.localhost`) ?? [])].map(([cookie, value]) => `${cookie}=${value}`).join('; ');
}

/** Somebody who is signed in at a site as well, whether or not they may open anything there. */
export async function visit(
  app: DemoPlace,
  userId: string,
  name: SiteName = 'www3',
): Promise<{ browser: Browser; host: string; cookie: string }> {
  const browser = await app.signIn(userId);
  const host = hostOf(app, name);
  await browser.get(`http://${host}${protectedPaths[name]}`);
  const cookie = cookiesOf(browser, name);
  if (!/(?:^|; )portal=/.test(cookie)) throw new Error(`${userId} has no session at ${host}`);
  return { browser, host, cookie };
}

/** The ids of somebody and of an organisation of the demo. */
export async function idsOf(app: DemoPlace, userId: string, code: string): Promise<{ person: number; organisation: number }> {
  const person = await app.store.db.selectFrom('identities').select('person_id').where('subject', '=', userId).executeTakeFirstOrThrow();
  const organisation = await app.store.db.selectFrom('organisations').select('id').where('code', '=', code).executeTakeFirstOrThrow();
  return { person: person.person_id, organisation: organisation.id };
}

/** Changes somebody's rights as an administrator's page would: the rules and the activity in one change. */
export async function changeRights(
  app: TestApp,
  who: { person: number; organisation: number },
  work: (tx: Change, who: { person: number; organisation: number; by: null; now: number }) => Promise<unknown>,
): Promise<void> {
  await app.store.change(async tx => {
    await work(tx, { ...who, by: null, now: app.clock.now });
    await append(tx, { at: app.clock.now, kind: 'access-changed', ...who });
  });
}

/** The text of a page of ours or of the legacy server, for comparing with what a person reads. */
export const plain = (html: string): string =>
  html
    .replace(/&#(\d+);/g, (_all, code: string) => String.fromCharCode(Number(code)))
    .replaceAll('&quot;', '"')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');

export const headingOf = (html: string): string => plain(/<h1[^>]*>([\s\S]*?)<\/h1>/.exec(html)?.[1]?.trim() ?? '');

/** What the error summary of a page says; empty when there is none. */
export const errorOf = (answer: Answer): string =>
  plain(/<ul class="govuk-list govuk-error-summary__list">([\s\S]*?)<\/ul>/.exec(answer.body)?.[1] ?? '')
    .replace(/<[^>]*>/g, '')
    .replace(/\s+/g, ' ')
    .trim();

/** Keeps every connection for reading busy, so that whoever asks anything waits, until `release`. SQLite has one, and the others wait for that. */
export async function holdStore({ db }: Store): Promise<{ release(): Promise<void> }> {
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const { promise: held, resolve: begun } = Promise.withResolvers<void>();
  const holders = Array.from({ length: connections.reading }, () =>
    db.transaction().execute(() => {
      begun();
      return over;
    }),
  );
  await held;
  return {
    async release() {
      resolve();
      await Promise.all(holders);
    },
  };
}
