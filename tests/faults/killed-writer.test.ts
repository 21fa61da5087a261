import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { verifyChain } from '#store/activity.ts';
import { openStore } from '#store/database.ts';
import { type Browser, createBrowser } from '#tests/app.ts';
import { freePort } from '#tests/free-port.ts';
import { startGateway, stopGateway } from '#tests/gateway-process.ts';

// An administrator saves a colleague's ticks again and again, and each time the gateway is killed while it may be writing them.
const ROUNDS = 50;
const LONGEST_MS = 40;
// Each round starts a gateway, which takes a slow machine ten seconds.
const PATIENCE_MS = ROUNDS * 20_000;

let dir = '';
let port = 0;
let gateway: ChildProcess;
let james: Browser;
let ken = 0;
const portal = () => `http://portal.hants.localhost:${port}`;
const kensPage = () => `${portal()}/organisations/1/people/${ken}`;
const database = () => join(dir, 'data', 'portal.sqlite');

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'portal-killed-'));
  port = await freePort();
  await start();
  ken = Number(ask("select person_id from identities where subject = 'KEN144'")[0]?.person_id);
  james = await signIn();
});
afterAll(async () => {
  await stopGateway(gateway);
  rmSync(dir, { recursive: true, force: true });
});

async function start(): Promise<void> {
  gateway = await startGateway({ PORT: String(port), DATA_DIR: join(dir, 'data'), NODE_COMPILE_CACHE: join(dir, 'compiled') });
}

async function signIn(): Promise<Browser> {
  const browser = createBrowser(port);
  const send = async (path: string, fields: Record<string, string>) =>
    browser.submit(portal() + path, await browser.get(portal() + path), fields);
  await send('/sign-in', { user_id: 'JHOWEL12', password: 'lantern-harbour-12' });
  await send('/security-phone', { phone: '07700 900982' });
  let code: string | undefined;
  while (code === undefined) code = /\b\d{6}\b/.exec((await browser.get(`${portal()}/demo/outbox.json`)).body)?.[0];
  await send('/security-code', { code });
  return browser;
}

/** Reads the file beside the gateway that has it open, so that it is the gateway that found it as the kill left it. */
function ask(sql: string): Record<string, unknown>[] {
  const file = new DatabaseSync(database(), { readOnly: true });
  const rows = file.prepare(sql).all();
  file.close();
  return rows;
}

/** What a round asks for: a tick that comes and goes, and an end that no other round asks for. */
function ticksOf(round: number) {
  const lastDay = Temporal.PlainDate.from('2030-01-01').add({ days: round });
  const ends = lastDay.add({ days: 1 }).toZonedDateTime('Europe/London').epochMilliseconds;
  const form = { services: ['trailblazer', ...(round % 2 ? ['mopp'] : [])], 'ends-trailblazer': lastDay.toString() };
  const rules = [...(round % 2 ? ['r:mopp null'] : []), `r:trailblazer ${ends}`];
  return { ends, form, rules };
}

/** What Ken may open, and the version that every change of it moves on. */
function accessOfKen() {
  const rules = ask(`select v1, ends_at from rules where v0 = 'u:${ken}' and revoked_at is null order by v1`);
  const [membership] = ask(`select version from memberships where person_id = ${ken}`);
  return { rules: rules.map(({ v1, ends_at }) => `${v1} ${ends_at}`), version: Number(membership?.version) };
}

/** How many rows of a round's change are in the log, and how many messages go with them. */
function rowsOf({ ends }: ReturnType<typeof ticksOf>) {
  const activity = ask("select id, data from activity where kind = 'access-changed'").filter(({ data }) =>
    String(data).includes(`${ends}`),
  );
  const messages = activity.flatMap(({ id }) => ask(`select id from outbox where template = 'access-changed' and activity_id = ${id}`));
  return { activity: activity.length, messages: messages.length };
}

/** Sends the form of a page that is open, kills the gateway so long after it was written, and says what was answered before that. */
async function saveAndKill(round: number, afterMs: number): Promise<string> {
  const { body: html } = await james.get(kensPage());
  const hidden = (name: string) => new RegExp(`name="${name}" value="([^"]*)"`).exec(html)?.[1] ?? '';
  const { services, ...ends } = ticksOf(round).form;
  const body = new URLSearchParams({ _csrf: hidden('_csrf'), version: hidden('version'), ...ends });
  for (const service of ['trailblazer', 'mopp']) body.append('shown', service);
  for (const service of services) body.append('services', service);
  const cookie = [...james.cookies.get('portal.hants.localhost')!].map(([name, value]) => `${name}=${value}`).join('; ');
  const lines = [
    `POST ${new URL(kensPage()).pathname} HTTP/1.1`,
    `Host: portal.hants.localhost:${port}`,
    `Cookie: ${cookie}`,
    'Content-Type: application/x-www-form-urlencoded',
    `Content-Length: ${body.toString().length}`,
  ];
  let answer = '';
  const socket = connect(port, '127.0.0.1').on('data', chunk => (answer += chunk));
  const closed = new Promise(resolve => socket.on('close', resolve).on('error', resolve));
  await new Promise<void>(resolve => socket.write(`${lines.join('\r\n')}\r\n\r\n${body}`, () => resolve()));
  await wait(afterMs);
  await stopGateway(gateway, 'SIGKILL');
  await closed;
  return answer.split('\r\n', 1)[0] ?? '';
}

test(
  'a change, its activity and its message are all there or none, whenever the gateway is killed; an answered one is there',
  async () => {
    const seen = { made: 0, lost: 0, answered: 0 };
    // Half the rounds go through 0 to 40 ms evenly, the others look for the moment between too early and too late.
    let seam = LONGEST_MS / 4;
    let before = accessOfKen();
    for (let round = 0; round < ROUNDS; round++) {
      const evenly = round % 2 === 0;
      const ticks = ticksOf(round);
      const answer = await saveAndKill(round, evenly ? (round * LONGEST_MS) / (ROUNDS - 2) : seam);
      await start();
      const rows = rowsOf(ticks);
      const made = rows.activity > 0;
      const all = { rules: ticks.rules, version: before.version + 1, activity: 1, messages: 1 };
      expect({ ...accessOfKen(), ...rows }).toEqual(made ? all : { ...before, activity: 0, messages: 0 });
      if (answer !== '') expect([answer, made]).toEqual(['HTTP/1.1 303 See Other', true]);
      if (!evenly) seam *= made ? 0.8 : 1.25;
      before = accessOfKen();
      seen[made ? 'made' : 'lost'] += 1;
      if (answer !== '') seen.answered += 1;
    }
    console.log(`${ROUNDS} kills: ${seen.made} changes made, ${seen.answered} of them answered, ${seen.lost} not begun or undone`);
    for (const [what, times] of Object.entries(seen)) expect([what, times > 0]).toEqual([what, true]);
  },
  PATIENCE_MS,
);

test('what is left is a whole database with an unbroken chain of activity', async () => {
  expect(ask('pragma integrity_check')).toEqual([{ integrity_check: 'ok' }]);
  const store = await openStore({ file: database() });
  expect((await verifyChain(store.db)).broken).toBeNull();
  await store.close();
});
