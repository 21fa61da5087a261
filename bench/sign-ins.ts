import { createBrowser } from '#tests/app.ts';
import { figureOf, type Result } from './figures.ts';
import type { Account } from './gateway.ts';
import { forSeconds } from './load.ts';
import { measureUntil, type System } from './systems.ts';
import { requestOf, talk } from './talk.ts';
import { behindTls, portalHost } from './visitors.ts';

/** How the pages are asked for beside the sign-ins: as fast as they come, or by people who rest after each. */
const paces = [
  { pace: 'pages as fast as they come', pauseMs: 0 },
  { pace: 'pages at 500 a second', pauseMs: 100 },
] as const;
const MOST_MS = 25;
/** What it does to the pages that many people sign in at once: round after round without them, and then for as long as they take. */
export async function measureSignIns(system: System, rounds: number, seconds: number): Promise<Result[]> {
  const accounts = system.ready.accounts ?? [];
  const results: Result[] = [];
  for (const { pace, pauseMs } of paces) {
    const without: number[] = [];
    const beside: number[] = [];
    const took: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const signIn = await prepare(system.ready.port, accounts);
      without.push((await measureUntil(system, () => forSeconds(seconds), pauseMs)).p99);
      const began = performance.now();
      beside.push((await measureUntil(system, signIn, pauseMs)).p99);
      took.push((performance.now() - began) / 1000);
    }
    const more = beside.map((p99, round) => p99 - without[round]!);
    results.push(
      { what: `${pace}: p99 without, ms`, seen: figureOf(without) },
      { what: `${pace}: p99 beside ${accounts.length} sign-ins, ms`, seen: figureOf(beside) },
      { what: `${pace}: the difference, ms`, most: MOST_MS, seen: figureOf(more) },
      { what: `${pace}: until all are signed in, s`, seen: figureOf(took) },
    );
  }
  return results;
}

/** The filled-in form of each of them; what is returned sends all the forms at once, and resolves when all have signed in. */
export async function prepare(port: number, accounts: readonly Account[]): Promise<() => Promise<unknown>> {
  const forms = await Promise.all(accounts.map(account => filledIn(port, account)));
  return () => Promise.all(forms.map(form => send(port, form)));
}

/** The whole request, so that sending it takes nothing from those who load pages in this process meanwhile. */
async function filledIn(port: number, { email, password }: Account): Promise<string> {
  const browser = createBrowser(port);
  const page = await browser.get(`https://${portalHost}/sign-in`, { headers: behindTls });
  const [, token = ''] = /name="_csrf" value="([^"]+)"/.exec(page.body) ?? [];
  const body = new URLSearchParams({ _csrf: token, user_id: email, password }).toString();
  const cookie = [...(browser.cookies.get(portalHost) ?? [])].map(pair => pair.join('=')).join('; ');
  const type = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': String(body.length) };
  return requestOf('POST', '/sign-in', { host: portalHost, ...behindTls, ...type, accept: 'text/html', cookie }, body);
}

async function send(port: number, form: string): Promise<void> {
  const forms = [form];
  const statuses: string[] = [];
  await talk(port, { next: () => forms.pop() ?? null, answered: status => statuses.push(status) });
  if (statuses[0] !== '303') throw new Error(`somebody could not sign in: ${statuses[0]}`);
}
