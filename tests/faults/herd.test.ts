import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { demoPeople } from '#config/demo/people.ts';
import { createBrowser } from '#tests/app.ts';
import { type Fleet, startFleet } from '#tests/fleet.ts';
import { freePort } from '#tests/free-port.ts';
import { long } from '#tests/long.ts';
import { ask } from '#tests/raw-http.ts';
import { enterCast } from './cast.ts';
import { sayProbe, startProbe } from './probe.ts';

// Nine o'clock: everybody signs in, and those who have done so browse. Each password costs a hash.
const SIGN_INS = long ? 1_000 : 60;
const WITHIN_MS = long ? 30_000 : 3_000;
const people = demoPeople.filter(({ userId }) => userId !== 'JHOWEL12' && userId !== 'KEN144');
// A handful of accounts stands for everybody, so each is used far more often than anybody's.
const patient = { SIGN_IN_TRIES: '100' };
// gateway/sign-in/hashing.ts
const LONGEST_QUEUE = 200;

let fleet: Fleet;
let operations = 0;
beforeAll(async () => {
  operations = await freePort();
  fleet = await startFleet(1, { OPERATIONS_PORT: String(operations), ...patient });
});
afterAll(() => fleet.stop());

/** Signs somebody in from a browser of their own; the status of the answer and how long it took. */
async function signIn(which: number): Promise<{ status: number; tookMs: number }> {
  const person = people[which % people.length]!;
  const began = performance.now();
  const browser = createBrowser(fleet.port);
  const form = await browser.get(`${fleet.portal}/sign-in`);
  const fields = { user_id: person.userId, password: person.password };
  const { status } = await browser.submit(`${fleet.portal}/sign-in`, form, fields, { follow: false });
  return { status, tookMs: performance.now() - began };
}

/** The most passwords that have waited to be hashed, looked at ten times a second. */
function watchQueue() {
  let most = 0;
  const timer = setInterval(async () => {
    const page = await ask(operations, { target: '/metrics', host: 'operations' }).catch(() => null);
    most = Math.max(most, Number(/^portal_hashing_waiting (\d+)$/m.exec(page?.body ?? '')?.[1] ?? 0));
  }, 100);
  return () => {
    clearInterval(timer);
    return most;
  };
}

test(`${SIGN_INS} sign-ins in ${WITHIN_MS / 1_000} s: all are answered, those who browse go on, and the queue has an end [fault 18]`, {
  timeout: 300_000,
}, async ({ annotate }) => {
  expect(people.length).toBeGreaterThan(0);
  const cast = await enterCast(fleet);
  const endOfQueue = watchQueue();
  const probe = startProbe([cast.asks(fleet.port, '/trailblazer/')], [cast.asks(fleet.port, '/efs/')]);
  const signing: ReturnType<typeof signIn>[] = [];
  for (let which = 0; which < SIGN_INS; which += 1) {
    signing.push(signIn(which));
    await wait(WITHIN_MS / SIGN_INS);
  }
  const answers = await Promise.all(signing);
  await probe.stop();
  const most = endOfQueue();
  const longest = Math.max(...answers.map(({ tookMs }) => tookMs));
  const busy = answers.filter(({ status }) => status === 503).length;
  const said = `${SIGN_INS} sign-ins: longest ${Math.round(longest)} ms, ${busy} told to wait, ${most} waited at most; pages: ${sayProbe(probe)}`;
  console.log(said);
  await annotate(said, 'seen');
  for (const { status } of answers) expect([303, 503]).toContain(status);
  expect(answers.some(({ status }) => status === 303)).toBe(true);
  expect(most).toBeLessThanOrEqual(LONGEST_QUEUE);
  expect([...probe.failures(), ...probe.wrongAllows()]).toEqual([]);
  if (long) expect(longest).toBeLessThan(60_000);
});
