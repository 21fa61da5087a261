import { expect, test } from 'vitest';
import { readAfter } from '#store/activity.ts';
import { addHandoff, takeHandoff } from '#store/handoff.ts';
import { removeMembership } from '#store/memberships.ts';
import { addToken, endSessions, findSession, lastOrganisation, setOrganisation, touchSession } from '#store/sessions.ts';
import { adminSeenAt, forgetAdminSeen, keepAdminSeen, setAdminSeen } from '#store/step-up.ts';
import { hashToken } from '#store/tokens.ts';
import { addSchool, onEveryStore, signIn, start } from './stores.ts';

const minute = 60_000;
const now = start;
const twenty = Array.from({ length: 20 }, (_, index) => index);

onEveryStore('sessions', house => {
  const change = <T>(work: Parameters<typeof house.store.change<T>>[0]) => house.store.change(work);
  const signedIn = async () => {
    const school = await addSchool(house.store);
    return { ...school, ...(await signIn(house.store, school.ann, school.organisation)) };
  };

  test('are found by the hash of their token on its own host only, with all a request is judged by', async () => {
    const { token, session, ann, organisation } = await signedIn();
    const { db } = house.store;
    const found = await findSession(db, hashToken(token), 'portal.example');
    expect(found).toEqual({
      sessionId: session,
      person: { id: ann, firstName: 'Ann', name: 'Ann Ash', email: 'Ann@3001.example', userId: 'ANN3001', active: true },
      kind: 'education',
      organisationId: organisation,
      organisations: [{ id: organisation, code: '3001', name: 'School 3001' }],
      createdAt: now,
      lastSeenAt: now,
      endedAt: null,
      endReason: null,
    });
    expect(await findSession(db, hashToken(token), 'www3.example')).toBeUndefined();
    expect(await findSession(db, token, 'portal.example')).toBeUndefined();
    const further = await addToken(db, { session, host: 'www3.example', now });
    expect((await findSession(db, hashToken(further), 'www3.example'))?.sessionId).toBe(session);
  });

  test('end for every host at once, by session or by person, and say so in the activity', async () => {
    const { session, token, ann, ben, organisation } = await signedIn();
    const second = await signIn(house.store, ann, organisation);
    const bens = await signIn(house.store, ben, organisation);
    const { db } = house.store;
    const after = (await readAfter(db, 0, 100)).length;
    expect(
      await change(tx => endSessions(tx, { person: ann, except: second.session }, { reason: 'password-changed', now: now + 1 })),
    ).toEqual([session]);
    expect(await change(tx => endSessions(tx, { session }, { reason: 'signed-out', now: now + 2 }))).toEqual([]);
    expect((await findSession(db, hashToken(token), 'portal.example'))?.endedAt).toBe(now + 1);
    expect((await findSession(db, hashToken(bens.token), 'portal.example'))?.endedAt).toBeNull();
    expect(await readAfter(db, after, 10)).toMatchObject([
      { kind: 'session-ended', session, person: ann, data: { reason: 'password-changed' } },
    ]);
    expect(await change(tx => endSessions(tx, { person: ann, organisation: organisation + 1 }, { reason: 'removed', now }))).toEqual([]);
    expect(await change(tx => endSessions(tx, { person: ann, organisation }, { reason: 'removed', now }))).toEqual([second.session]);
  });

  test('move their last-seen on, never back', async () => {
    const { session, token } = await signedIn();
    const { db } = house.store;
    await touchSession(db, session, now + minute);
    await touchSession(db, session, now + 1);
    expect((await findSession(db, hashToken(token), 'portal.example'))?.lastSeenAt).toBe(now + minute);
  });

  test('work in organisations of the person only, and remember the last one', async () => {
    const { session, ann, organisation } = await signedIn();
    const other = await addSchool(house.store, '3002');
    expect(await change(tx => setOrganisation(tx, { session, organisation: other.organisation, now }))).toBe(false);
    expect(await change(tx => setOrganisation(tx, { session, organisation, now }))).toBe(true);
    expect(await lastOrganisation(house.store.db, ann)).toBe(organisation);
    await change(tx => removeMembership(tx, { organisation, person: ann, by: null, reason: 'r', now }));
    expect(await change(tx => setOrganisation(tx, { session, organisation, now }))).toBe(false);
    expect(await lastOrganisation(house.store.db, ann)).toBeNull();
  });

  test('remember when the administration was used, and forget it in all of a person’s sessions', async () => {
    const { session, ann } = await signedIn();
    const { db } = house.store;
    await setAdminSeen(db, session, now + 5);
    await keepAdminSeen(db, session, now + 9);
    expect(await adminSeenAt(db, session)).toBe(now + 9);
    await forgetAdminSeen(db, ann);
    await keepAdminSeen(db, session, now + 20);
    expect(await adminSeenAt(db, session)).toBeNull();
  });

  test('are handed to a host once: one of twenty takes the code, and only with its nonce, host and time', async () => {
    const { session } = await signedIn();
    const { db } = house.store;
    const given = { session, host: 'www3.example', nonceHash: 'n', returnPath: '/a?b=c', now };
    const code = await addHandoff(db, given);
    const take = { code, host: 'www3.example', nonceHash: 'n', now };
    expect(await takeHandoff(db, { ...take, nonceHash: 'x' })).toBeNull();
    expect(await takeHandoff(db, { ...take, host: 'www.example' })).toBeNull();
    expect(await takeHandoff(db, { ...take, now: now + 30_000 })).toBeNull();
    const taken = await Promise.all(twenty.map(() => takeHandoff(db, take)));
    expect(taken.filter(Boolean)).toEqual([{ session, returnPath: '/a?b=c' }]);
    const late = await addHandoff(db, given);
    await change(tx => endSessions(tx, { session }, { reason: 'signed-out', now }));
    expect(await takeHandoff(db, { ...take, code: late })).toBeNull();
  });
});
