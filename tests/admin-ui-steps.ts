import type { Answer, Browser, DemoPlace } from './app.ts';

export const innovations = '/organisations/1';
export const school = '/organisations/2';

/** The id of a demo person by the user ID they sign in with. */
export async function idOf(app: DemoPlace, userId: string): Promise<number> {
  const row = await app.store.db.selectFrom('identities').select('person_id').where('subject', '=', userId).executeTakeFirstOrThrow();
  return row.person_id;
}

/** The six digits of the newest text message. */
export async function newestCode(app: DemoPlace): Promise<string> {
  const text = (await app.outbox()).find(message => message.kind === 'text')?.text ?? '';
  return /\b\d{6}\b/.exec(text)?.[0] ?? '';
}

/** Signs an administrator in and takes them through the code, registering a phone first where they have none. */
export async function asAdministrator(app: DemoPlace, userId: string, number = '07700 900982'): Promise<Browser> {
  const browser = await app.signIn(userId);
  let page = await browser.get(`${app.portal}/security-code`);
  if (page.url.includes('/security-phone')) page = await browser.submit(`${app.portal}/security-phone`, page, { phone: number });
  else page = await browser.submit(`${app.portal}/security-code/new`, page, {});
  page = await browser.submit(`${app.portal}/security-code`, page, { code: await newestCode(app) });
  if (page.status !== 200 || page.url.includes('/security-code')) throw new Error(`${userId} did not get through the code: ${page.url}`);
  return browser;
}

/** What a reader sees of a page's main part, in one line. */
export function textOf(page: Answer): string {
  const main = /<main[\s\S]*<\/main>/.exec(page.body)?.[0] ?? page.body;
  return main
    .replace(/<[^>]*>/g, ' ')
    .replace(/&#39;/g, "'")
    .replace(/&quot;/g, '"')
    .replace(/&amp;/g, '&')
    .replace(/\s+/g, ' ')
    .trim();
}

export const titleOf = (page: Answer): string => /<title>([\s\S]*?)<\/title>/.exec(page.body)?.[1] ?? '';

/** The boxes of Manage user access, with the hidden fields of its page. */
export async function tick(app: DemoPlace, browser: Browser, person: string, fields: Record<string, string | string[]>, page?: Answer) {
  const address = `${app.portal}${person}`;
  return browser.submit(address, page ?? (await browser.get(address)), fields);
}
