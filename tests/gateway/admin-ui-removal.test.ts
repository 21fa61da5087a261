import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { keepFresh } from '#admin-ui/step-up.ts';
import { append } from '#store/activity.ts';
import { appointAdministrator, dismissAdministrator } from '#store/rules.ts';
import { asAdministrator, idOf, innovations, newestCode, school, textOf, titleOf } from '#tests/admin-ui-steps.ts';
import { type Browser, startApp, type TestApp } from '#tests/app.ts';

let app: TestApp;
let james: Browser;
let earlier = 0;

beforeAll(async () => {
  app = await startApp();
  james = await asAdministrator(app, 'JHOWEL12');
});
afterAll(() => app.close());
beforeEach(async () => {
  earlier = (await app.outbox()).length;
});

const lettersTo = async (address: string) => {
  const all = await app.outbox();
  return all.slice(0, all.length - earlier).filter(message => message.to === address);
};
const pageOf = async (userId: string, organisation = innovations) => `${app.portal}${organisation}/people/${await idOf(app, userId)}`;
const rowOf = async (userId: string) => {
  const id = await idOf(app, userId);
  const membership = await app.store.db
    .selectFrom('memberships')
    .selectAll()
    .where('person_id', '=', id)
    .orderBy('organisation_id')
    .executeTakeFirstOrThrow();
  const person = await app.store.db.selectFrom('people').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  const rules = await app.store.db.selectFrom('rules').selectAll().where('v0', '=', `u:${id}`).where('revoked_at', 'is', null).execute();
  return { membership, person, rules };
};

/** What the council's own tools do: they say so in the activity, by which every process hears of it. */
async function appoint(userId: string, organisation: number): Promise<void> {
  const [person, now] = [await idOf(app, userId), app.clock.now];
  await app.store.change(async tx => {
    await appointAdministrator(tx, { organisation, person, by: null, now });
    await append(tx, { at: now, kind: 'administrator-appointed', organisation, person });
  });
}

async function dismiss(userId: string, organisation: number): Promise<void> {
  const [person, now] = [await idOf(app, userId), app.clock.now];
  await app.store.change(async tx => {
    await dismissAdministrator(tx, { organisation, person, by: null, now });
    await append(tx, { at: now, kind: 'administrator-dismissed', organisation, person });
  });
}

describe('Delete OTP number', () => {
  test('asks first, then deletes, mails the owner and asks them for a code again (P11)', async () => {
    await appoint('WENDY166', 1);
    const wendy = await asAdministrator(app, 'WENDY166');
    const asked = await james.get(`${await pageOf('WENDY166')}/security-phone/delete`);
    expect(titleOf(asked)).toContain('Delete Wendy’s OTP number?');
    expect((await rowOf('WENDY166')).person.security_phone).toBe('+447700900166');
    const done = await james.submit(`${await pageOf('WENDY166')}/security-phone/delete`, asked, {});
    expect(textOf(done)).toContain('The OTP number of Wendy has been deleted');
    expect((await rowOf('WENDY166')).person.security_phone).toBeNull();
    expect((await lettersTo('wendy.hcc@ola.example')).map(letter => letter.subject)).toEqual([expect.stringContaining('was deleted')]);
    expect((await wendy.get(app.portal + innovations)).url).toContain('/security-phone');
  });

  test('a second press finds nothing to delete, calmly', async () => {
    const asked = await james.get(`${await pageOf('KEN144')}/remove`);
    const again = await james.submit(`${await pageOf('WENDY166')}/security-phone/delete`, asked, {});
    expect(again.status).toBe(200);
    expect(textOf(again)).toContain('Wendy does not have an OTP number');
    expect(await lettersTo('wendy.hcc@ola.example')).toEqual([]);
  });

  test('kills a code that is on its way', async () => {
    const wendy = await app.signIn('WENDY166');
    const page = await wendy.submit(`${app.portal}/security-phone`, await wendy.get(`${app.portal}/security-phone`), {
      phone: '07700 900166',
    });
    await wendy.submit(`${app.portal}/security-code`, page, { code: await newestCode(app) });
    const second = await app.signIn('WENDY166');
    const waiting = await second.submit(`${app.portal}/security-code/new`, await second.get(`${app.portal}/security-code`), {});
    const code = await newestCode(app);
    await james.submit(`${await pageOf('WENDY166')}/security-phone/delete`, await james.get(await pageOf('WENDY166')), {});
    await second.submit(`${app.portal}/security-code`, waiting, { code });
    expect((await second.get(app.portal + innovations)).url).toContain('/security-phone');
    await asAdministrator(app, 'WENDY166', '07700 900167');
    await second.submit(`${app.portal}/security-code`, waiting, { code });
    expect((await second.get(app.portal + innovations)).url).toContain('/security-code');
    await dismiss('WENDY166', 1);
  });

  test('is not undone by a request that was let in just before', async () => {
    const session = { person_id: await idOf(app, 'KEN144'), kind: 'education', address: '', agent: '' } as const;
    const times = { created_at: 0, last_seen_at: 0, admin_seen_at: null };
    const { id } = await app.store.db
      .insertInto('sessions')
      .values({ ...session, ...times })
      .returning('id')
      .executeTakeFirstOrThrow();
    await keepFresh(app.store.db, id, 0, app.clock.now);
    const row = await app.store.db.selectFrom('sessions').select('admin_seen_at').where('id', '=', id).executeTakeFirst();
    expect(row?.admin_seen_at).toBeNull();
  });

  test('one’s own number may be deleted, and must then be set up again', async () => {
    const done = await james.submit(`${await pageOf('JHOWEL12')}/security-phone/delete`, await james.get(await pageOf('JHOWEL12')), {});
    expect(done.url).toContain('/security-phone');
    james = await asAdministrator(app, 'JHOWEL12');
  });
});

describe('Delete user', () => {
  test('lists what goes, wants a reason, and then takes everything at once (P12)', async () => {
    const ollie = await app.signIn('OLLIE199');
    const asked = await james.get(`${await pageOf('OLLIE199')}/remove`);
    expect(textOf(asked)).toMatch(
      /Remove Ollie from Innovations PLC - SP3\?.*Manual of Personnel Practise.*Left Role changed Added by mistake Other/,
    );
    const bare = await james.submit(`${await pageOf('OLLIE199')}/remove`, asked, {});
    expect(bare.status).toBe(422);
    expect(bare.body).toContain('<a href="#reason">Select a reason for removing this person</a>');
    const invented = await james.submit(`${await pageOf('OLLIE199')}/remove`, asked, { reason: 'because' });
    expect(invented.status).toBe(422);
    expect((await rowOf('OLLIE199')).membership.removed_at).toBeNull();

    const done = await james.submit(`${await pageOf('OLLIE199')}/remove`, asked, { reason: 'left' });
    expect(textOf(done)).toContain('Ollie has been removed from Innovations PLC - SP3');
    const { membership, rules } = await rowOf('OLLIE199');
    expect([membership.removed_by, membership.removed_reason]).toEqual([await idOf(app, 'JHOWEL12'), 'left']);
    expect(rules.map(rule => rule.domain)).toEqual(['o:2']);
    expect((await ollie.get(`${app.portal}/`, { follow: false })).status).not.toBe(200);
    expect((await lettersTo('ollie.hcc@ola.example')).map(letter => letter.subject)).toEqual([expect.stringContaining('removed')]);
    expect((await james.get(await pageOf('OLLIE199'))).status).toBe(404);
    const again = await app.signIn('OLLIE199');
    expect((await again.get(`${app.portal}/`)).body).toContain('Itchen Meadow');
  });

  test('a phone that nobody needs any more is not kept', async () => {
    const id = await idOf(app, 'EDSCLP2');
    await app.store.db.updateTable('people').set({ security_phone: '+447700900102' }).where('id', '=', id).execute();
    await james.submit(`${await pageOf('EDSCLP2')}/remove`, await james.get(`${await pageOf('EDSCLP2')}/remove`), { reason: 'other' });
    expect((await rowOf('EDSCLP2')).person.security_phone).toBeNull();
  });

  test('pressed twice removes once and mails once', async () => {
    const asked = await james.get(`${await pageOf('MIKE122')}/remove`);
    const url = `${await pageOf('MIKE122')}/remove`;
    const answers = await Promise.all([1, 2].map(() => james.submit(url, asked, { reason: 'left' }, { follow: false })));
    expect(answers.map(answer => answer.status).sort()).toEqual([303, 404]);
    expect(await lettersTo('mike.hcc@ola.example')).toHaveLength(1);
  });

  test('an invitation of somebody removed before they took it opens nothing', async () => {
    const form = await james.get(`${app.portal}${innovations}/people/new?account=no`);
    const email = 'gone@innovations.example';
    await james.submit(`${app.portal}${innovations}/people/new`, form, { firstName: 'Gone', lastName: 'Soon', email });
    const link = /http\S*set-password\S*/.exec((await lettersTo(email))[0]?.text ?? '')?.[0] ?? '';
    expect((await app.browser().get(link)).status).toBe(200);
    await james.submit(`${await pageOf(email)}/remove`, await james.get(`${await pageOf(email)}/remove`), { reason: 'added-by-mistake' });
    expect((await app.browser().get(link)).status).toBe(410);
  });

  test('not oneself, and not by somebody who has stopped being an administrator (S23)', async () => {
    const own = await james.submit(`${await pageOf('JHOWEL12')}/remove`, await james.get(await pageOf('JHOWEL12')), { reason: 'left' });
    expect(own.status).toBe(403);
    expect(textOf(own)).toContain('You cannot remove yourself Ask another administrator.');
    const helen = await asAdministrator(app, 'HMARSH3', '07700 900103');
    const page = await helen.get(`${await pageOf('SOBRIE4', school)}/remove`);
    await dismiss('HMARSH3', 2);
    expect((await helen.submit(`${await pageOf('SOBRIE4', school)}/remove`, page, { reason: 'left' })).status).toBe(403);
    expect((await rowOf('SOBRIE4')).membership.removed_at).toBeNull();
  });

  test('two administrators who remove each other at the same moment leave one', async () => {
    await appoint('HMARSH3', 2);
    const [helen, siobhan] = [await asAdministrator(app, 'HMARSH3', '07700 900103'), await asAdministrator(app, 'SOBRIE4', '07700 900104')];
    const [removeHelen, removeSiobhan] = [`${await pageOf('HMARSH3', school)}/remove`, `${await pageOf('SOBRIE4', school)}/remove`];
    const [pageOfHelen, pageOfSiobhan] = [await siobhan.get(removeHelen), await helen.get(removeSiobhan)];
    await Promise.all([
      helen.submit(removeSiobhan, pageOfSiobhan, { reason: 'left' }, { follow: false }),
      siobhan.submit(removeHelen, pageOfHelen, { reason: 'left' }, { follow: false }),
    ]);
    const left = [(await rowOf('HMARSH3')).membership.removed_at, (await rowOf('SOBRIE4')).membership.removed_at];
    expect(left.filter(removed => removed === null)).toHaveLength(1);
  });
});
