import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { asAdministrator, idOf, innovations, newestCode, school, textOf, titleOf } from '#tests/admin-ui-steps.ts';
import { type Answer, type Browser, startApp, type TestApp } from '#tests/app.ts';

let app: TestApp;
let james: Browser;
let earlier: number;
const minute = 60_000;

beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.close());
beforeEach(async () => {
  await app.store.change(async tx => {
    await tx.updateTable('people').set({ security_phone: null }).execute();
    await tx.deleteFrom('security_codes').execute();
    await tx.deleteFrom('attempts').execute();
  });
  earlier = (await app.outbox()).length;
  james = await app.signIn('JHOWEL12');
});

/** Messages sent since the test began, newest first. */
const messages = async () => {
  const all = await app.outbox();
  return all.slice(0, all.length - earlier);
};

const at = (path: string) => app.portal + path;
const phoneOf = async (userId: string) => {
  const row = await app.store.db
    .selectFrom('people')
    .select('security_phone')
    .where('id', '=', await idOf(app, userId))
    .executeTakeFirstOrThrow();
  return row.security_phone;
};
const texts = async () => (await messages()).filter(message => message.kind === 'text');
const register = async (browser: Browser, phone: string) =>
  browser.submit(at('/security-phone'), await browser.get(at('/security-phone')), { phone });
const enter = async (browser: Browser, code: string) =>
  browser.submit(at('/security-code'), await browser.get(at('/security-code')), { code });
const another = async (browser: Browser) => {
  // Sooner it would be the same press of the button.
  app.clock.now += 2_000;
  return browser.submit(at('/security-code/new'), await browser.get(at('/security-code')), {});
};
/** What a page says about too many codes; empty when it says nothing of the kind. */
const refusalIn = (page: Answer) =>
  /You have asked for too many codes\. Try again after \S+(?: on \d{1,2} \w+ \d{4})?/.exec(textOf(page))?.[0] ?? '';

/** Moves the clock on to the next time that it is so late in London, on a day before one of 24 hours as well, and signs in. */
async function startAt(time: string): Promise<void> {
  const now = londonNow();
  let wanted = now.withPlainTime(time);
  const isUsual = (moment: Temporal.ZonedDateTime) => moment.hoursInDay === 24 && moment.add({ days: 1 }).hoursInDay === 24;
  while (Temporal.ZonedDateTime.compare(wanted, now) <= 0 || !isUsual(wanted)) wanted = wanted.add({ days: 1 });
  app.clock.now = wanted.epochMilliseconds;
  james = await app.signIn('JHOWEL12');
}

const londonNow = () => Temporal.Instant.fromEpochMilliseconds(app.clock.now).toZonedDateTimeISO('Europe/London');
const monthNames = 'January February March April May June July August September October November December'.split(' ');

function sayAgain(time: string, day: 'today' | 'tomorrow'): string {
  const tomorrow = londonNow().add({ days: 1 });
  const date = day === 'today' ? '' : ` on ${tomorrow.day} ${monthNames[tomorrow.month - 1]} ${tomorrow.year}`;
  return `You have asked for too many codes. Try again after ${time}${date}`;
}

/** A code that is certainly not the one that was sent. */
const wrong = (code: string) => String((Number(code) + 1) % 1_000_000).padStart(6, '0');

describe('registering a phone', () => {
  test('asks for a number, sends a code, stores the number once the code was right, and tells its owner (S14–S17)', async () => {
    const asked = await james.get(at(`${innovations}/people`));
    expect(asked.url).toContain('/security-phone?');
    expect(titleOf(asked)).toBe('Enter your mobile phone number – Services Portal');
    expect(asked.body).toMatch(/<input[^>]*id="phone"[^>]*autocomplete="tel"/);

    const sent = await james.submit(at('/security-phone'), asked, { phone: '07700 900 982' });
    expect(titleOf(sent)).toBe('Confirm code – Services Portal');
    expect(textOf(sent)).toContain('a number ending 982');
    expect(sent.body).not.toContain('7700');
    expect(sent.body).toMatch(/<input[^>]*id="code"[^>]*autocomplete="one-time-code"[^>]*inputmode="numeric"/);
    expect(textOf(sent)).toContain('Continue');
    expect(textOf(sent)).toContain('Get new code');
    expect(await phoneOf('JHOWEL12')).toBeNull();

    const code = await newestCode(app);
    const opened = await james.submit(at('/security-code'), sent, { code: ` ${code.slice(0, 3)} - ${code.slice(3)}` });
    expect(opened.url).toBe(at(`${innovations}/people`));
    expect(await phoneOf('JHOWEL12')).toBe('+447700900982');
    const letter = (await messages()).find(message => message.to === 'james.howell@innovations.example');
    expect(letter?.subject).toContain('security phone number');
    expect(app.log()).not.toContain(code);
  });

  test.each([
    ['', 'Enter a UK mobile number, like 07700 900 982'],
    ['0000000000', 'Enter a UK mobile number, like 07700 900 982'],
    ['01962 841841', 'This number cannot receive text messages. Enter a mobile number.'],
  ])('refuses %j and keeps what was typed', async (phone, words) => {
    const page = await register(james, phone);
    expect(page.status).toBe(422);
    expect(titleOf(page)).toMatch(/^Error: /);
    expect(page.body).toContain('href="#phone"');
    expect(textOf(page).split(words).length - 1).toBe(2);
    expect(page.body).toContain(`value="${phone}"`);
    expect(await texts()).toEqual([]);
  });

  test('a stolen password cannot replace the phone that is there', async () => {
    await asAdministrator(app, 'JHOWEL12');
    const thief = await app.signIn('JHOWEL12');
    const page = await thief.get(at('/security-phone'));
    expect(page.url).toContain('/security-code');
    await thief.submit(at('/security-phone'), page, { phone: '07400 123456' });
    expect(await phoneOf('JHOWEL12')).toBe('+447700900982');
    expect((await texts())[0]?.to).toBe('+447700900982');
  });

  test('a registration begun by a thief dies when the owner finishes theirs', async () => {
    const thief = await app.signIn('JHOWEL12');
    await register(thief, '07400 123456');
    const code = await newestCode(app);
    await asAdministrator(app, 'JHOWEL12');
    const page = await thief.get(at('/security-code'));
    await thief.submit(at('/security-code'), page, { code });
    expect(await phoneOf('JHOWEL12')).toBe('+447700900982');
    expect((await thief.get(at(innovations))).url).toContain('/security-code');
  });

  test('ordinary staff are not asked for one (S18)', async () => {
    const ken = await app.signIn('KEN144');
    for (const path of ['/security-phone', '/security-code']) expect((await ken.get(at(path))).status).toBe(403);
    const posted = await ken.submit(at('/security-phone'), await ken.get(at('/')), { phone: '07700 900982' });
    expect(posted.status).toBe(403);
    expect(await texts()).toEqual([]);
  });
});

describe('the code', () => {
  test('is asked again after an hour away, in another session, and never on looking at its page', async () => {
    const browser = await asAdministrator(app, 'JHOWEL12');
    app.clock.now += 59 * minute;
    expect((await browser.get(at(innovations))).url).toBe(at(innovations));
    app.clock.now += 61 * minute;
    const again = await app.signIn('JHOWEL12');
    const before = (await texts()).length;
    const page = await again.get(at(`${innovations}/people?q=ken`));
    expect(page.url).toContain('/security-code?return=');
    expect(textOf(page)).toContain('Get a code');
    expect((await texts()).length).toBe(before);
    const sent = await again.submit(at('/security-code/new'), page, {});
    const opened = await again.submit(at('/security-code'), sent, { code: await newestCode(app) });
    expect(opened.url).toBe(at(`${innovations}/people?q=ken`));
  });

  test('stays fresh while the administration is used', async () => {
    const browser = await asAdministrator(app, 'JHOWEL12');
    for (let visits = 0; visits < 4; visits++) {
      app.clock.now += 40 * minute;
      expect((await browser.get(at(innovations))).url).toBe(at(innovations));
    }
  });

  test.each([
    ['', 'Enter the 6 digit code'],
    ['12345', 'The code must be 6 numbers'],
    ['12345a', 'The code must be 6 numbers'],
  ])('refuses %j without counting it as a try', async (typed, words) => {
    await register(james, '07700 900982');
    for (let tries = 0; tries < 6; tries++) {
      const page = await enter(james, typed);
      expect(page.status).toBe(422);
      expect(textOf(page)).toContain(words);
    }
    expect((await enter(james, await newestCode(app))).url).toBe(at(innovations));
  });

  test('is dead after five wrong tries, for every session of the person, until the wait is over #88', async () => {
    await register(james, '07700 900982');
    const code = await newestCode(app);
    for (let tries = 0; tries < 5; tries++)
      expect(textOf(await enter(james, wrong(code)))).toContain('The code is not correct. Check the text message');
    const words = 'You have entered too many wrong codes. Wait 15 minutes, then get a new code';
    expect(textOf(await enter(james, code))).toContain(words);
    await james.submit(at('/security-code/new'), await james.get(at('/security-code')), {});
    expect(textOf(await enter(james, await newestCode(app)))).toContain(words);
    app.clock.now += 16 * minute;
    await james.submit(at('/security-code/new'), await james.get(at('/security-code')), {});
    expect((await enter(james, await newestCode(app))).url).toBe(at(innovations));
  });

  test('cannot be guessed by many at once: five tries count, the right one among them or not at all', async () => {
    const page = await register(james, '07700 900982');
    const code = await newestCode(app);
    const guesses = [...Array.from({ length: 12 }, (_, step) => String((Number(code) + 1 + step) % 1_000_000).padStart(6, '0')), code];
    const answers = await Promise.all(guesses.map(guess => james.submit(at('/security-code'), page, { code: guess }, { follow: false })));
    const wrongs = answers.filter(answer => answer.body.includes('The code is not correct'));
    expect(wrongs.length).toBeLessThanOrEqual(5);
    expect(answers.filter(answer => answer.body.includes('too many wrong codes')).length).toBeGreaterThanOrEqual(7);
  });

  test('cannot be used twice, nor in another session', async () => {
    await asAdministrator(app, 'JHOWEL12');
    const used = await newestCode(app);
    const other = await app.signIn('JHOWEL12');
    await other.submit(at('/security-code/new'), await other.get(at('/security-code')), {});
    const third = await app.signIn('JHOWEL12');
    const page = await third.get(at('/security-code'));
    const fresh = await newestCode(app);
    for (const code of [used, fresh]) await third.submit(at('/security-code'), page, { code });
    expect((await third.get(at(innovations))).url).toContain('/security-code');
  });

  test('pressed twice opens once, and sends nothing further', async () => {
    const page = await register(james, '07700 900982');
    const code = await newestCode(app);
    const answers = await Promise.all([1, 2].map(() => james.submit(at('/security-code'), page, { code }, { follow: false })));
    expect(answers.map(answer => answer.status)).toEqual([303, 303]);
    expect(await texts()).toHaveLength(1);
    expect((await messages()).filter(message => message.subject?.includes('security phone'))).toHaveLength(1);
  });

  test('expires after ten minutes and is replaced #89', async () => {
    await register(james, '07700 900982');
    const page = await james.get(at('/security-code'));
    const old = await newestCode(app);
    app.clock.now += 10 * minute;
    const answer = await james.submit(at('/security-code'), page, { code: old });
    expect(textOf(answer)).toContain('The code has expired. We have sent a new one');
    expect(await texts()).toHaveLength(2);
    expect((await enter(james, await newestCode(app))).url).toBe(at(innovations));
  });

  // A time alone is read as today's, so the day is said whenever it is another one in London.
  test.each([
    ['13:30', '2:30pm', 'today'],
    ['22:59', '11:59pm', 'today'],
    ['23:00', '12:00am', 'tomorrow'],
    ['23:45', '12:45am', 'tomorrow'],
  ] as const)('is sent five times an hour at most, counted per person: from %s again after %s %s (S16)', async (from, time, day) => {
    await startAt(from);
    await register(james, '07700 900982');
    for (let sends = 1; sends < 5; sends++) expect((await another(james)).status).toBe(200);
    const refused = await another(james);
    expect(refused.status).toBe(422);
    expect(refusalIn(refused)).toBe(sayAgain(time, day));
    expect(await texts()).toHaveLength(5);
    const other = await app.signIn('JHOWEL12');
    expect(refusalIn(await register(other, '07700 900983'))).toBe(sayAgain(time, day));
    app.clock.now += 60 * minute + 1;
    expect(refusalIn(await register(await app.signIn('JHOWEL12'), '07700 900983'))).toBe('');
    expect(await texts()).toHaveLength(6);
  });

  test.each([
    ['00:00', '12:00am', 'tomorrow'],
    ['09:05', '9:05am', 'tomorrow'],
    ['21:59', '9:59pm', 'tomorrow'],
    ['22:00', '10:00pm', 'today'],
    ['23:59', '11:59pm', 'today'],
  ] as const)('is sent ten times in any 24 hours at most: two hours after %s again after %s %s (S16)', async (from, time, day) => {
    await startAt(from);
    for (const round of [1, 2]) {
      const browser = await app.signIn('JHOWEL12');
      await register(browser, '07700 900982');
      for (let sends = 1; sends < 5; sends++) await another(browser);
      expect(await texts()).toHaveLength(5 * round);
      app.clock.now += 60 * minute + 1;
    }
    const last = await app.signIn('JHOWEL12');
    expect(refusalIn(await register(last, '07700 900982'))).toBe(sayAgain(time, day));
    expect(await texts()).toHaveLength(10);
  });

  test('comes back to a page of the portal only', async () => {
    for (const elsewhere of ['https://evil.example/', '//evil.example', '/\\evil.example', 'javascript:alert(1)']) {
      const page = await james.get(`${at('/security-phone')}?return=${encodeURIComponent(elsewhere)}`);
      expect(page.body).not.toContain('evil.example');
      expect(page.body).not.toContain('javascript:');
    }
    await register(james, '07700 900982');
    const body = { code: await newestCode(app), return: 'https://evil.example/' };
    const answer = await james.submit(at('/security-code'), await james.get(at('/security-code')), body, { follow: false });
    expect(answer.headers.location).toBe(innovations);
  });
});

test('htmx is told to go elsewhere, and a form starts over on its own page', async () => {
  const search = await james.get(at(`${innovations}/people?q=k`), { headers: { 'hx-request': 'true' }, follow: false });
  expect(search.status).toBe(401);
  expect(search.headers['hx-redirect']).toBe(`/security-code?return=${encodeURIComponent(`${innovations}/people?q=k`)}`);
  const form = await james.submit(at(`${innovations}/people/1`), await james.get(at('/security-phone')), {}, { follow: false });
  expect(form.headers.location).toBe(`/security-code?return=${encodeURIComponent(`${innovations}/people/1`)}`);
});

test('signed out, every page leads to signing in; the pages of another organisation are not found', async () => {
  const stranger = app.browser();
  for (const path of [innovations, `${innovations}/people/1`, '/security-code', '/security-phone'])
    expect((await stranger.get(at(path), { follow: false })).headers.location).toBe(`/sign-in?return=${encodeURIComponent(path)}`);
  expect((await james.get(at(school))).status).toBe(404);
  expect((await james.get(at('/organisations/999'))).status).toBe(404);
  expect((await james.get(at('/organisations/1e0'))).status).toBe(404);
});
