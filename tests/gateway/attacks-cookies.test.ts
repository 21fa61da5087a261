import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Browser, startApp, type TestApp } from '#tests/app.ts';
import { requestsOn, startWire, type Wire } from '#tests/legacy-wire.ts';
import { ask } from '#tests/raw-http.ts';
import { secured } from '#tests/secured.ts';

/** `known` says whether the session is found; `arrives` is what the legacy page then gets as its cookies, null for none. */
type Row = { why: string; cookie: string[]; known: boolean; arrives?: string | null };
const rows = JSON.parse(readFileSync(new URL('../attacks/cookies.json', import.meta.url), 'utf8')) as Row[];

const NAME = '__Host-portal';
const https = { headers: { 'x-forwarded-proto': 'https' } };

let app: TestApp;
let wire: Wire;
let browser: Browser;

// By https, as anywhere but in the demo: there the names have their prefix.
beforeAll(async () => {
  wire = await startWire();
  app = await startApp({
    env: { TRUSTED_PROXIES: '127.0.0.1' },
    change: deps => wire.into({ ...deps, catalogue: secured(deps.catalogue, deps.settings.port) }),
  });
  browser = app.browser();
  const form = await browser.get('https://portal.hants.localhost/sign-in', https);
  await browser.submit('https://portal.hants.localhost/sign-in', form, { user_id: 'WENDY166', password: 'heron-basket-166' }, https);
  await browser.get('https://www3.hants.localhost/trailblazer/', https);
});
afterAll(async () => {
  await app.close();
  await wire.close();
});
beforeEach(() => wire.forget());

const kept = (host: string, name = NAME) => browser.cookies.get(`${host}.hants.localhost`)?.get(name) ?? 'missing';

const written = (text: string) =>
  text
    .replaceAll('{own}', `${NAME}=${kept('www3')}`)
    .replaceAll('{foreign}', `${NAME}=${kept('portal')}`)
    .replaceAll('{handoff}', kept('www3', `${NAME}-handoff`))
    .replaceAll('{value}', kept('www3'))
    .replaceAll('{value%}', `%${kept('www3').charCodeAt(0).toString(16)}${kept('www3').slice(1)}`)
    .replaceAll('{name}', NAME);

const send = (target: string, cookies: string[]) =>
  ask(app.port, {
    target,
    host: 'www3.hants.localhost',
    headers: [['X-Forwarded-Proto', 'https'], ...cookies.map(cookie => ['Cookie', written(cookie)] as const)],
  });

describe('the session’s cookie', () => {
  test.each(rows.map(row => [row.why, row] as const))('%s', async (_why, { cookie, known, arrives = null }) => {
    expect([kept('www3'), kept('portal'), kept('www3', `${NAME}-handoff`)]).not.toContain('missing');
    const answer = await send('/trailblazer/headers.json', cookie);
    expect(answer.status).toBe(known ? 200 : 302);
    expect((await send('/efs/', cookie)).status).toBe(known ? 403 : 302);
    const arrived = requestsOn(wire.received());
    expect(arrived).toHaveLength(known ? 1 : 0);
    const cookies = arrived.flatMap(({ headers }) => headers.filter(([name]) => name === 'cookie').map(([, value]) => value));
    expect(cookies).toEqual(arrives === null ? [] : [written(arrives)]);
    expect(wire.received()).not.toContain(kept('www3'));
  });
});
