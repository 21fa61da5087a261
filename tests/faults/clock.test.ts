import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { asAdministrator, newestCode } from '#tests/admin-ui-steps.ts';
import { type Fleet, startFleet } from '#tests/fleet.ts';
import { programOf } from '#tests/servers.ts';
import { enterCast } from './cast.ts';
import { sayProbe, startProbe } from './probe.ts';

// A real gateway whose clock is moved while it runs. Time that passes (the change log, time-outs) goes by the monotonic clock and does
// not notice; what has a date goes by the wall clock, as a grant that ends on the 31st must.
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const patience = { timeout: 60_000, interval: 50 };

let dir = '';
let fleet: Fleet;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'portal-clock-'));
  await setClock(0);
  fleet = await startFleet(1, {
    LD_PRELOAD: join(programOf('libfaketime'), 'libfaketimeMT.so.1'),
    FAKETIME_TIMESTAMP_FILE: join(dir, 'offset'),
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  });
});
afterAll(async () => {
  await fleet.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** Moves the gateway's clock to so many seconds from ours. */
async function setClock(seconds: number): Promise<void> {
  writeFileSync(join(dir, 'next'), `${seconds < 0 ? '-' : '+'}${Math.abs(seconds)}s`);
  renameSync(join(dir, 'next'), join(dir, 'offset'));
}

/** What the gateway takes for now, to the second (RFC 9110 §6.6.1). */
async function clockOf(): Promise<number> {
  const { headers } = await fleet.browser().get(`${fleet.portal}/sign-in`);
  return Math.round((Date.parse(String(headers.date)) - Date.now()) / 1_000);
}

async function moveClock(seconds: number): Promise<void> {
  await setClock(seconds);
  await expect.poll(async () => Math.abs((await clockOf()) - seconds), patience).toBeLessThan(30);
}

/** Asks for a code as an administrator, moves the clock, and types it. Whether it still opened the door. */
async function codeAfter(userId: string, from: number, to: number): Promise<boolean> {
  await moveClock(from);
  const browser = await fleet.signIn(userId);
  const send = async (path: string, fields: Record<string, string>) =>
    browser.submit(fleet.portal + path, await browser.get(fleet.portal + path), fields);
  const page = await browser.get(`${fleet.portal}/security-code`);
  if (page.url.includes('/security-phone')) await send('/security-phone', { phone: '07700 900982' });
  const code = await newestCode(fleet);
  expect(code).toMatch(/^\d{6}$/);
  const form = await browser.get(`${fleet.portal}/security-code`);
  await moveClock(to);
  await browser.submit(`${fleet.portal}/security-code`, form, { code });
  const hub = await browser.get(`${fleet.portal}/organisations/1/people`, { follow: false });
  return hub.status === 200;
}

test('a step of a second signs nobody out, two hours or a day end sessions until the clock is right, and none allows anything [fault 14]', async ({
  annotate,
}) => {
  const cast = await enterCast(fleet);
  const probe = startProbe([cast.asks(fleet.port, '/trailblazer/')], [cast.asks(fleet.port, '/efs/')]);
  const seen: string[] = [];
  const answersAt = async (what: string) => {
    const from = performance.now();
    await expect.poll(() => probe.asked.filter(({ at }) => at > from).length, patience).toBeGreaterThan(20);
    const got = new Set(probe.asked.filter(({ at, expected }) => at > from && expected === 'allowed').map(one => one.got));
    seen.push(`${what}: ${[...got].join(' and ')}`);
    return [...got];
  };
  expect(await answersAt('as it is')).toEqual([200]);
  await setClock(1);
  expect(await answersAt('1 s on')).toEqual([200]);
  await setClock(-1);
  expect(await answersAt('2 s back')).toEqual([200]);
  await moveClock(-HOUR);
  expect(await answersAt('1 h back')).toEqual([200]);
  await moveClock(0);
  expect(await answersAt('and on again')).toEqual([200]);
  await moveClock(2 * HOUR);
  expect(await answersAt('2 h on')).toEqual([302]);
  await moveClock(24 * HOUR);
  expect(await answersAt('1 day on')).toEqual([302]);
  // Idleness is judged, not written down: once the clock is right again, whoever was there a moment ago is still there.
  await moveClock(0);
  expect(await answersAt('right again')).toEqual([200]);
  await probe.stop();
  const said = `${seen.join(', ')}; ${sayProbe(probe)}`;
  console.log(said);
  await annotate(said, 'seen');
  expect(probe.wrongAllows()).toEqual([]);
});

test('a code is dead after eleven minutes, and after the clock was set back by an hour [fault 14]', async () => {
  expect(await codeAfter('HMARSH3', 0, 11 * MINUTE)).toBe(false);
  expect(await codeAfter('HMARSH3', HOUR, 0)).toBe(false);
  await moveClock(2 * HOUR);
  await asAdministrator(fleet, 'HMARSH3');
});
