import { expect, test } from 'vitest';
import { addAttempt, countAttempts } from '#store/attempts.ts';
import { record } from '#store/events.ts';
import { addHandoff } from '#store/handoff.ts';
import { finishJob, prune, startTimedWork, takeJob } from '#store/jobs.ts';
import { enqueue, type NewMessage, secretsOf } from '#store/outbox.ts';
import { backOff, claim, giveUpExpired, markFailed, markSent } from '#store/outbox-queue.ts';
import { SealBroken } from '#store/sealing.ts';
import { endSessions, findSession } from '#store/sessions.ts';
import { hashToken } from '#store/tokens.ts';
import { addSchool, key, onEveryStore, signIn, start } from './stores.ts';

const now = start;
const hour = 3_600_000;
const day = 24 * hour;

onEveryStore('the outbox', house => {
  const put = (over: Partial<NewMessage> = {}) =>
    house.store.change(tx =>
      enqueue(tx, { channel: 'email', recipient: 'ann@example.org', template: 'invitation', data: { a: 1 }, now, ...over }),
    );
  const row = (id: number) => house.store.db.selectFrom('outbox').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  const secrets = { key, values: { link: 'https://portal.example/x' } };

  test('gives each message to one of several workers', async () => {
    const ids: number[] = [];
    for (let message = 0; message < 30; message += 1) ids.push(await put());
    const other = await house.another();
    const claims = await Promise.all([1, 2, 3, 4, 5, 6].map(worker => claim((worker % 2 ? house.store : other).db, now, 7)));
    const claimed = claims.flat().map(message => message.id);
    expect(new Set(claimed).size).toBe(claimed.length);
    const rest = await claim(house.store.db, now, 100);
    expect([...claimed, ...rest.map(message => message.id)].sort((a, b) => a - b)).toEqual(ids);
    expect(await claim(house.store.db, now, 100)).toEqual([]);
  });

  test('gives a message again when the worker died with it', async () => {
    await put();
    const [first] = await claim(house.store.db, now, 1, 60_000);
    expect(await claim(house.store.db, now + 59_999, 1)).toEqual([]);
    const [second] = await claim(house.store.db, now + 60_000, 1);
    expect(second).toMatchObject({ id: first!.id, tries: 2 });
    // The dead worker comes back: it may say that it was sent, but no longer that it failed.
    await markFailed(house.store.db, first!, now + 60_001, 'late');
    expect((await row(first!.id)).status).toBe('sending');
    await markSent(house.store.db, first!, now + 60_001);
    await markFailed(house.store.db, second!, now + 60_002, 'refused');
    expect(await row(first!.id)).toMatchObject({ status: 'sent', sent_at: now + 60_001 });
  });

  test('seals codes and links for their recipient, and wipes them once sent', async () => {
    const id = await put({ secrets });
    expect(JSON.stringify(await row(id))).not.toContain('portal.example/x');
    const [message] = await claim(house.store.db, now, 1);
    expect(secretsOf(message!, key)).toEqual({ link: 'https://portal.example/x' });
    expect(() => secretsOf({ ...message!, recipient: 'eve@example.org' }, key)).toThrow(SealBroken);
    expect(() => secretsOf(message!, Buffer.alloc(32, 9))).toThrow(SealBroken);
    expect(secretsOf(message!, Buffer.alloc(32, 9), key)).toEqual({ link: 'https://portal.example/x' });
    await markSent(house.store.db, message!, now);
    expect((await row(id)).sealed).toBeNull();
  });

  test('tries an e-mail with longer and longer waits, for three days at least', async () => {
    const id = await put({ secrets });
    let at = now;
    const waits: number[] = [];
    while (at < now + 3 * day) {
      const [message] = await claim(house.store.db, at, 1);
      expect(message?.id).toBe(id);
      expect(await markFailed(house.store.db, message!, at, 'no answer')).toBe('waiting');
      const next = (await row(id)).next_try_at;
      waits.push((next - at) / 1_000);
      expect(await claim(house.store.db, next - 1, 1)).toEqual([]);
      at = next;
    }
    expect(waits.slice(0, 11)).toEqual([5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600]);
    const [last] = await claim(house.store.db, at, 1);
    expect(await markFailed(house.store.db, last!, at, 'no answer')).toBe('failed');
    expect(await row(id)).toMatchObject({ status: 'failed', sealed: null, last_error: 'no answer' });
  });

  test('gives an e-mail that waited for a week before anybody could try it three days of tries all the same', async () => {
    const id = await put();
    const late = now + 7 * day;
    let at = late;
    for (let status = 'waiting'; status === 'waiting'; ) {
      const [message] = await claim(house.store.db, at, 1);
      status = await markFailed(house.store.db, message!, at, 'no answer');
      if (status === 'waiting') at = (await row(id)).next_try_at;
    }
    expect(at - late).toBeGreaterThanOrEqual(3 * day);
  });

  test('gives a text up when its code dies, and anything that was refused for good [fault 11]', async () => {
    const text = await put({ channel: 'text', secrets, expiresAt: now + 60_000 });
    const [message] = await claim(house.store.db, now, 1);
    expect(await markFailed(house.store.db, message!, now, 'no answer')).toBe('waiting');
    expect(await claim(house.store.db, now + 60_000, 1)).toEqual([]);
    expect(await giveUpExpired(house.store.db, now + 59_999)).toEqual([]);
    expect(await giveUpExpired(house.store.db, now + 60_000)).toEqual([{ id: text, channel: 'text', template: 'invitation', tries: 1 }]);
    expect(await row(text)).toMatchObject({ status: 'failed', sealed: null });
    await put();
    const [refused] = await claim(house.store.db, now, 1);
    expect(await markFailed(house.store.db, refused!, now, 'no such mailbox', true)).toBe('failed');
  });

  test('never waits longer than an hour', () => {
    expect([1, 2, 11, 1_000].map(backOff)).toEqual([5_000, 10_000, hour, hour]);
  });
});

onEveryStore('jobs', house => {
  const job = { name: 'prune', everyMs: hour, leaseMs: 1_000 };

  test('are done by one of several processes, and by another when it died', async () => {
    const { db } = house.store;
    const other = await house.another();
    const taken = await Promise.all(['a', 'b', 'c', 'd'].map((holder, index) => takeJob(index % 2 ? db : other.db, job, holder, now)));
    expect(taken.filter(Boolean)).toHaveLength(1);
    expect(await takeJob(db, job, 'e', now + 999)).toBe(false);
    expect(await takeJob(db, job, 'e', now + 1_000)).toBe(true);
    await finishJob(db, job, 'a', now);
    expect(await takeJob(db, job, 'f', now + 1_002)).toBe(false);
  });

  test('are done again when it is time, not by each process in turn', async () => {
    const { db } = house.store;
    const other = await house.another();
    expect(await takeJob(db, job, 'a', now)).toBe(true);
    await finishJob(db, job, 'a', now);
    for (const holder of ['a', 'b']) expect(await takeJob(other.db, job, holder, now + hour - 1)).toBe(false);
    expect(await takeJob(other.db, job, 'b', now + hour)).toBe(true);
    expect(await takeJob(db, job, 'a', now + hour)).toBe(false);
    await finishJob(db, job, 'b', now + hour);
    expect(await takeJob(db, job, 'a', now + hour + 1)).toBe(false);
  });

  test('forget what can no longer matter, and only that', async () => {
    const { db } = house.store;
    const { ann, organisation } = await addSchool(house.store);
    const over = await signIn(house.store, ann, organisation);
    const live = await signIn(house.store, ann, organisation);
    await house.store.change(tx => endSessions(tx, { session: over.session }, { reason: 'signed-out', now }));
    await addAttempt(db, 'sign-in', 'ann', now);
    await addAttempt(db, 'sign-in', 'ann', now + day);
    await addHandoff(db, { session: live.session, host: 'h', nonceHash: 'n', returnPath: '/', now });
    await prune(db, now + day + 1, 12 * hour);
    expect(await countAttempts(db, 'sign-in', 'ann', 0)).toBe(1);
    expect(await findSession(db, hashToken(over.token), 'portal.example')).toBeUndefined();
    expect(await findSession(db, hashToken(live.token), 'portal.example')).toBeDefined();
    await prune(db, now + 2 * day, 12 * hour);
    expect(await findSession(db, hashToken(live.token), 'portal.example')).toBeUndefined();
    expect(await db.selectFrom('handoff_codes').selectAll().execute()).toEqual([]);
  });

  test('keep events for a year', async () => {
    const { db } = house.store;
    for (const at of [now, now + 1]) await record(db, { at, kind: 'sign-in-refused' });
    await prune(db, now + 365 * day + 1, 12 * hour);
    expect(await db.selectFrom('events').select('at').execute()).toEqual([{ at: now + 1 }]);
  });

  test('are begun by the gateway itself, and a failure is told and ends nothing', async () => {
    const { db } = house.store;
    await addAttempt(db, 'sign-in', 'old', now);
    const errors: unknown[] = [];
    const options = { now: () => now + 2 * day, longestSessionMs: 12 * hour, onError: (error: unknown) => void errors.push(error) };
    await startTimedWork(house.store, options).close();
    expect(await countAttempts(db, 'sign-in', 'old', 0)).toBe(0);
    // Another of several workers begins: the work of this hour is done.
    await addAttempt(db, 'sign-in', 'old', now);
    await startTimedWork(house.store, options).close();
    expect(await countAttempts(db, 'sign-in', 'old', 0)).toBe(1);
    const clockStopped = () => {
      throw new Error('no clock');
    };
    await startTimedWork(house.store, { ...options, now: clockStopped }).close();
    expect(errors.map(String)).toEqual(['Error: no clock']);
  });
});
