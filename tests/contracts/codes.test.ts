import { expect, test } from 'vitest';
import { addAttempt, clearAttempts, countAttempts } from '#store/attempts.ts';
import { addLink, cancelLinks, findLink, linkIsLive, takeLink } from '#store/links.ts';
import { addCode, type CodeWhere, endCodesOfTheFuture, pendingCode, takeCode } from '#store/security-codes.ts';
import { hashToken } from '#store/tokens.ts';
import { addSchool, key, onEveryStore, signIn, start } from './stores.ts';

const minute = 60_000;
const hour = 60 * minute;
const now = start;
const twenty = Array.from({ length: 20 }, (_, index) => index);
const limits = { minutes: 10, tries: 5, waitMinutes: 15, sendsPerHour: 5, sendsPerDay: 10 };

onEveryStore('the codes and links', house => {
  const change = <T>(work: Parameters<typeof house.store.change<T>>[0]) => house.store.change(work);
  const begin = async () => {
    const { ann, organisation } = await addSchool(house.store);
    const { session } = await signIn(house.store, ann, organisation);
    const where: CodeWhere = { person: ann, session, purpose: 'administration', key, limits, now };
    return { ann, organisation, where };
  };
  const send = async (where: CodeWhere) => {
    const sent = await change(tx => addCode(tx, { ...where, phone: '+447700900982' }));
    return 'notBefore' in sent ? `not before ${sent.notBefore}` : sent.code;
  };
  const type = async (where: CodeWhere, code: string) => (await change(tx => takeCode(tx, { ...where, code }))).outcome;
  const wrong = (code: string) => (code === '000000' ? '000001' : '000000');

  test('a code is right once, for the number it was sent to #86', async () => {
    const { where } = await begin();
    const code = await send(where);
    expect(code).toMatch(/^\d{6}$/);
    expect(await pendingCode(house.store.db, where)).toEqual({ phone: '+447700900982', createdAt: now, expiresAt: now + 10 * minute });
    expect(await type(where, wrong(code))).toBe('wrong');
    expect(await change(tx => takeCode(tx, { ...where, code }))).toEqual({ outcome: 'right', phone: '+447700900982' });
    expect(await type(where, code)).toBe('expired');
    expect(await pendingCode(house.store.db, where)).toBeUndefined();
  });

  test('of twenty who type the right code at once, one gets in', async () => {
    const { where } = await begin();
    const code = await send(where);
    const results = await Promise.all(twenty.map(() => type({ ...where, limits: { ...limits, tries: 100 } }, code)));
    expect(results.filter(result => result === 'right')).toHaveLength(1);
  });

  test('twenty parallel guesses are no more than five, and then the right code is refused too #87', async () => {
    const { where } = await begin();
    const code = await send(where);
    const results = await Promise.all(twenty.map(() => type(where, wrong(code))));
    expect(results.filter(result => result === 'wrong')).toHaveLength(5);
    expect(await type(where, code)).toBe('too-many');
  });

  test('a new code replaces the one before it but gives no new tries', async () => {
    const { where } = await begin();
    const first = await send(where);
    for (let time = 0; time < 4; time += 1) await type(where, wrong(first));
    const second = await send(where);
    expect(await type(where, second === first ? wrong(first) : first)).toBe('wrong');
    expect(await type(where, second)).toBe('too-many');
    expect(await type({ ...where, now: now + 15 * minute }, second)).toBe('too-many');
    expect(await type({ ...where, now: now + 15 * minute + 1 }, second)).toBe('expired');
  });

  test('a right code clears the tries', async () => {
    const { where, ann } = await begin();
    const code = await send(where);
    await type(where, wrong(code));
    await type(where, code);
    expect(await countAttempts(house.store.db, 'code-try', String(ann), 0)).toBe(0);
  });

  test('a code dies with its time and works for its purpose and session only', async () => {
    const { where, ann, organisation } = await begin();
    const code = await send(where);
    const elsewhere = await signIn(house.store, ann, organisation);
    expect(await type({ ...where, session: elsewhere.session }, code)).toBe('expired');
    expect(await type({ ...where, purpose: 'register-phone' }, code)).toBe('expired');
    expect(await type({ ...where, now: now + 10 * minute }, code)).toBe('expired');
    expect(await type({ ...where, now: now + 10 * minute - 1 }, code)).toBe('right');
  });

  test('a code does not outlive a clock that is set back, neither then nor once the time has come again [fault 14]', async () => {
    const { where } = await begin();
    const code = await send(where);
    const back = { ...where, now: now - hour };
    expect(await type(back, code)).toBe('expired');
    expect(await pendingCode(house.store.db, back)).toBeUndefined();
    // The clocks of two machines are never quite the same.
    expect(await pendingCode(house.store.db, { ...where, now: now - 1_000 })).toBeDefined();
    await endCodesOfTheFuture(house.store.db, now - 1_000);
    expect(await pendingCode(house.store.db, where)).toBeDefined();
    await endCodesOfTheFuture(house.store.db, now - hour);
    expect(await type(where, code)).toBe('expired');
  });

  test('sends are counted by the hour and by the day', async () => {
    const { where } = await begin();
    const sends = async (at: number, times: number) => {
      const results: string[] = [];
      for (let time = 0; time < times; time += 1) results.push((await send({ ...where, now: at })).replace(/^\d{6}$/, 'yes'));
      return results.join(', ');
    };
    expect(await sends(now, 6)).toBe(`yes, yes, yes, yes, yes, not before ${now + hour}`);
    expect(await sends(now + 2 * hour, 6)).toBe(`yes, yes, yes, yes, yes, not before ${now + 24 * hour}`);
    expect(await sends(now + 4 * hour, 1)).toBe(`not before ${now + 24 * hour}`);
    expect(await sends(now + 24 * hour, 1)).toBe('yes');
  });

  test('what is kept of a code cannot be tried out without the key', async () => {
    const { where } = await begin();
    await send(where);
    const { code_hash: kept } = await house.store.db.selectFrom('security_codes').select('code_hash').executeTakeFirstOrThrow();
    const guesses = new Set(Array.from({ length: 100_000 }, (_, code) => hashToken(String(code).padStart(6, '0'))));
    expect(guesses.has(kept)).toBe(false);
    expect(await type({ ...where, key: Buffer.alloc(32, 8) }, '123456')).toBe('wrong');
  });

  test('attempts are counted per kind and key since a moment', async () => {
    const { db } = house.store;
    for (const at of [now, now + 1, now + 2]) await addAttempt(db, 'sign-in', 'ann', at);
    await addAttempt(db, 'sign-in-address', 'ann', now + 2);
    expect(await countAttempts(db, 'sign-in', 'ann', now + 1)).toBe(2);
    await clearAttempts(db, 'sign-in', 'ann');
    expect(await countAttempts(db, 'sign-in', 'ann', 0)).toBe(0);
    expect(await countAttempts(db, 'sign-in-address', 'ann', 0)).toBe(1);
  });

  test('a link is used once by one of twenty, for its purpose, in its time; looking uses nothing up', async () => {
    const { ann } = await begin();
    const { db } = house.store;
    const make = () => change(tx => addLink(tx, { person: ann, purpose: 'reset', expiresAt: now + hour, now }));
    const link = await make();
    const found = await findLink(db, link);
    expect(found && linkIsLive(found, now)).toBe(true);
    expect(found && linkIsLive(found, now + hour)).toBe(false);
    expect(await takeLink(db, link, 'invitation', now)).toBeNull();
    expect(await takeLink(db, link, 'reset', now + hour)).toBeNull();
    const taken = await Promise.all(twenty.map(() => takeLink(db, link, 'reset', now)));
    expect(taken.filter(person => person !== null)).toEqual([ann]);
    const older = await make();
    const newer = await make();
    expect(await takeLink(db, older, 'reset', now)).toBeNull();
    await change(tx => cancelLinks(tx, { people: [ann], now }));
    expect(await takeLink(db, newer, 'reset', now)).toBeNull();
  });
});
