import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { append } from '#store/activity.ts';
import { addMembership } from '#store/memberships.ts';
import { endRule } from '#store/rule-rows.ts';
import { appointAdministrator, subscribe } from '#store/rules.ts';
import { asAdministrator, idOf, innovations, school, textOf, tick, titleOf } from '#tests/admin-ui-steps.ts';
import { type Answer, type Browser, startApp, type TestApp } from '#tests/app.ts';

let app: TestApp;
let james: Browser;
let helen: Browser;

beforeAll(async () => {
  app = await startApp();
  james = await asAdministrator(app, 'JHOWEL12');
  helen = await asAdministrator(app, 'HMARSH3', '07700 900103');
});
afterAll(() => app.close());

const pageOf = async (userId: string, organisation = innovations) => `${organisation}/people/${await idOf(app, userId)}`;
const lettersTo = async (address: string) => (await app.outbox()).filter(message => message.to === address);
const activity = (kind: string) =>
  app.store.db
    .selectFrom('activity')
    .selectAll()
    .where('kind', '=', kind as never)
    .execute();
const may = async (userId: string, service: string, organisation = 1) => {
  const rows = await app.store.db
    .selectFrom('rules')
    .select('id')
    .where('domain', '=', `o:${organisation}`)
    .where('v0', '=', `u:${await idOf(app, userId)}`)
    .where('v1', '=', `r:${service}`)
    .where('revoked_at', 'is', null)
    .execute();
  return rows.length > 0;
};
const isTicked = (page: Answer, id: string) => new RegExp(`<input[^>]*id="${id}"[^>]*checked`).test(page.body);

describe('Manage user access', () => {
  test('shows the person, the services of the organisation and Organisation Admin last (S25, S26, S28, S29)', async () => {
    const page = await james.get(app.portal + (await pageOf('WENDY166')));
    expect(titleOf(page)).toBe('Manage user access: Wendy – Services Portal');
    const text = textOf(page);
    for (const words of ['Manage user access', 'Wendy', 'Add/remove roles', 'Senior Leader', 'WENDY166', 'Save changes'])
      expect(text).toContain(words);
    const boxes = [...page.body.matchAll(/govuk-checkboxes__label" for="[^"]*">([^<]*)</g)].map(match => match[1]);
    expect(boxes).toEqual([
      'Education Financial Services',
      'Education Personnel Services – Manual of Personnel Practise',
      'Governor Services',
      'Hampshire Inspectorate Advisory Service',
      'Hampshire Music Service',
      'Property',
      'Schools Intranet',
      'Trailblazer',
      'Organisation Admin',
    ]);
    expect(isTicked(page, 'service-schools-intranet')).toBe(true);
    expect(isTicked(page, 'service-efs')).toBe(false);
  });

  test('a tick gives, an untick takes, and one letter says what changed (S27, S30)', async () => {
    const page = await tick(app, james, await pageOf('KEN144'), { services: ['efs', 'property'] });
    expect(page.url).toMatch(/people\/\d+\?saved=\d+$/);
    expect(textOf(page)).toContain('Access updated for Ken Added: Education Financial Services; Property');
    expect(page.body).toContain('role="alert"');
    expect([await may('KEN144', 'efs'), await may('KEN144', 'property')]).toEqual([true, true]);
    const second = await tick(app, james, await pageOf('KEN144'), { services: ['property', 'hias'] });
    expect(textOf(second)).toContain('Added: Hampshire Inspectorate Advisory Service Removed: Education Financial Services');
    expect(await may('KEN144', 'efs')).toBe(false);
    const letters = await lettersTo('ken.hcc@ola.example');
    expect(letters).toHaveLength(2);
    expect(letters[0]?.text).toMatch(
      /James Howell \(Innovations PLC - SP3\)[\s\S]*Added[\s\S]*Inspectorate[\s\S]*Removed[\s\S]*Financial[\s\S]*You now have/,
    );
  });

  test('gives until the last day written, and shows that day again (P13)', async () => {
    const address = await pageOf('BEN155');
    const page = await tick(app, james, address, { services: ['efs'], 'ends-efs': '31 March 2030' });
    expect(textOf(page)).toContain('Added: Education Financial Services, until 31 March 2030');
    expect(page.body).toContain('value="31 3 2030"');
    const changed = await tick(app, james, address, { services: ['efs'], 'ends-efs': '' });
    expect(textOf(changed)).toContain('End date changed: Education Financial Services');
    const rows = await app.store.db
      .selectFrom('rules')
      .selectAll()
      .where('v0', '=', `u:${await idOf(app, 'BEN155')}`)
      .orderBy('id')
      .execute();
    expect(rows.map(row => [row.ends_at, row.revoked_at === null])).toEqual([
      [Date.UTC(2030, 2, 31, 23), false],
      [null, true],
    ]);
  });

  test('refuses a date that is over, keeps what was typed and ticked, and saves nothing', async () => {
    const page = await tick(app, james, await pageOf('MIKE122'), { services: ['efs', 'hms'], 'ends-efs': '1 1 2020' });
    expect(page.status).toBe(422);
    expect(titleOf(page)).toMatch(/^Error: /);
    expect(page.body).toContain('<a href="#ends-efs">The date access ends must be in the future</a>');
    expect(page.body).toContain('value="1 1 2020"');
    expect(isTicked(page, 'service-hms')).toBe(true);
    expect(await may('MIKE122', 'hms')).toBe(false);
  });

  test('saving the same again changes nothing and sends nothing', async () => {
    const before = (await lettersTo('wendy.hcc@ola.example')).length;
    const page = await tick(app, james, await pageOf('WENDY166'), { services: ['schools-intranet', 'trailblazer'] });
    expect(textOf(page)).toContain('You did not change anything');
    expect(await lettersTo('wendy.hcc@ola.example')).toHaveLength(before);
  });

  test('pressed twice saves once, and both presses see it saved', async () => {
    const address = await pageOf('LHADDA5', school);
    const page = await helen.get(app.portal + address);
    const answers = await Promise.all([1, 2].map(() => tick(app, helen, address, { services: ['hms'] }, page)));
    for (const answer of answers) expect(textOf(answer)).toContain('Access updated for ليلى حداد Added: Hampshire Music Service');
    expect(await lettersTo('l.haddad@itchenmeadow.example')).toHaveLength(1);
  });

  test('administrators may give themselves a service, and it is recorded', async () => {
    await tick(app, james, await pageOf('JHOWEL12'), { services: ['efs', 'hias', 'hms'], administrator: 'yes' });
    expect(await may('JHOWEL12', 'hms')).toBe(true);
    const entry = (await activity('access-changed')).at(-1);
    expect(entry?.actor_id).toBe(entry?.person_id);
  });

  test('the banner is shown to nobody but whoever saved, on that person’s page', async () => {
    const saved = new URL((await tick(app, helen, await pageOf('ADELAC2', school), { services: ['hms'] })).url).search;
    const siobhan = await asAdministrator(app, 'SOBRIE4', '07700 900104');
    expect(textOf(await siobhan.get(app.portal + (await pageOf('ADELAC2', school)) + saved))).not.toContain('Access updated');
    expect(textOf(await helen.get(app.portal + (await pageOf('JSMITH12', school)) + saved))).not.toContain('Access updated');
    expect(textOf(await james.get(app.portal + (await pageOf('KEN144')) + saved))).not.toContain('Access updated');
  });

  test('nor in another organisation that both belong to', async () => {
    const saved = new URL((await tick(app, james, await pageOf('OLLIE199'), { services: ['mopp', 'property'] })).url).search;
    const [person, now] = [await idOf(app, 'JHOWEL12'), app.clock.now];
    await app.store.change(async tx => {
      await addMembership(tx, { organisation: 2, person, now });
      await appointAdministrator(tx, { organisation: 2, person, by: null, now });
      await append(tx, { at: now, kind: 'administrator-appointed', organisation: 2, person });
    });
    const page = await james.get(app.portal + (await pageOf('OLLIE199', school)) + saved);
    expect(page.status).toBe(200);
    expect(textOf(page)).not.toContain('Access updated');
  });

  test('leaves out a service that only the council may give', async () => {
    await app.store.change(async tx => {
      await subscribe(tx, { organisation: 2, service: 'property', grantable: false, by: null, now: app.clock.now });
      await append(tx, { at: app.clock.now, kind: 'subscription-added', organisation: 2, service: 'property' });
    });
    const address = await pageOf('MADHAV9', school);
    const page = await helen.get(app.portal + address);
    expect(page.body).not.toContain('value="property"');
    expect((await tick(app, helen, address, { services: ['hms', 'property'], shown: ['hms', 'property'] }, page)).status).toBe(409);
    expect(await may('MADHAV9', 'property', 2)).toBe(false);
  });
});

describe('a form drawn before something changed', () => {
  test('a service that appeared meanwhile is not taken away by being absent (S27)', async () => {
    const address = await pageOf('OLLIE199');
    const page = await james.get(app.portal + address);
    const shown = [...page.body.matchAll(/name="shown" value="([^"]*)"/g)].map(match => match[1] ?? '').filter(id => id !== 'mopp');
    const answer = await tick(app, james, address, { services: ['hms'], shown }, page);
    expect(textOf(answer)).toContain('Added: Hampshire Music Service');
    expect(await may('OLLIE199', 'mopp')).toBe(true);
  });

  test('is not saved after somebody else’s change; both sets are shown', async () => {
    const address = await pageOf('ZBRONT1', school);
    const siobhan = await asAdministrator(app, 'SOBRIE4', '07700 900104');
    const page = await helen.get(app.portal + address);
    await tick(app, siobhan, address, { services: ['hias'] });
    const stale = await tick(app, helen, address, { services: ['hms'] }, page);
    expect(stale.status).toBe(409);
    expect(textOf(stale)).toMatch(
      /Someone else changed this person’s access while you were looking at it.*Saved now.*Inspectorate.*What you chose.*Music/,
    );
    expect([await may('ZBRONT1', 'hias', 2), await may('ZBRONT1', 'hms', 2)]).toEqual([true, false]);
  });

  test('gives no service that the council has taken from the organisation meanwhile', async () => {
    const address = await pageOf('MIKE122');
    const page = await james.get(app.portal + address);
    const v = ['r:governors', 'o:1', 's:governors', 'use', 'allow'];
    await app.store.change(tx => endRule(tx, { domain: 'o:1', ptype: 'p', v, by: null, now: app.clock.now }));
    const answer = await tick(app, james, address, { services: ['governors'] }, page);
    expect(answer.status).toBe(409);
    expect(await may('MIKE122', 'governors')).toBe(false);
    expect(textOf(await james.get(app.portal + address))).not.toContain('Governor Services');
  });
});

describe('Organisation Admin', () => {
  test('asks once more, keeps the other ticks, and tells the person in the same letter (S35, P14)', async () => {
    const address = await pageOf('EDSCLP2');
    const asked = await tick(app, james, address, { services: ['efs', 'hms'], 'ends-hms': '1 6 2031', administrator: 'yes' });
    expect(asked.status).toBe(200);
    expect(titleOf(asked)).toContain('Make Lisa Phillips an Organisation Administrator?');
    expect(textOf(asked)).toContain('Hampshire Music Service, until 1 June 2031');
    expect(await may('EDSCLP2', 'organisation-admin')).toBe(false);
    const done = await james.submit(app.portal + address, asked, {});
    expect(textOf(done)).toMatch(/Access updated for Lisa Phillips Added: .*Music Service, until 1 June 2031; Organisation Admin/);
    expect([await may('EDSCLP2', 'efs'), await may('EDSCLP2', 'organisation-admin')]).toEqual([true, true]);
    const lisa = await idOf(app, 'EDSCLP2');
    expect((await activity('administrator-appointed')).filter(entry => entry.person_id === lisa)).toHaveLength(1);
    const letters = await lettersTo('lisa.phillips2@hants.gov.uk');
    expect(letters).toHaveLength(1);
    expect(letters[0]?.text).toContain('Organisation Admin');
  });

  test('an administrator may step down, and has no page left here', async () => {
    const lisa = await asAdministrator(app, 'EDSCLP2', '07700 900102');
    const address = await pageOf('EDSCLP2');
    const kept = { services: ['efs', 'hms'], 'ends-hms': '1 6 2031', administrator: [] };
    const asked = await tick(app, lisa, address, kept);
    expect(textOf(asked)).toContain('Stop being an Organisation Administrator?');
    const done = await lisa.submit(app.portal + address, asked, {});
    expect(done.url).toBe(`${app.portal}/`);
    const refused = await lisa.get(app.portal + innovations);
    expect(refused.status).toBe(403);
    expect(textOf(refused)).toMatch(/Only the Organisation Administrators of Innovations.*James Howell/);
  });

  test('the last administrator stays, also when they are the one to ask (P14)', async () => {
    const address = await pageOf('JHOWEL12');
    for (const confirm of [[], ['yes']]) {
      const answer = await tick(app, james, address, { services: ['efs', 'hias', 'hms'], administrator: [], confirm });
      expect(answer.status).toBe(422);
      expect(answer.body).toContain(
        '<a href="#administrator">Your organisation needs at least one administrator. Make someone else an administrator first</a>',
      );
    }
    expect(await may('JHOWEL12', 'organisation-admin')).toBe(true);
  });

  test('an invited administrator who cannot sign in yet does not count as a second one', async () => {
    const invitation = await james.get(`${app.portal}${innovations}/people/new?account=no`);
    const details = { firstName: 'Una', lastName: 'Invited', email: 'una@innovations.example' };
    await james.submit(`${app.portal}${innovations}/people/new`, invitation, details);
    const una = await pageOf('una@innovations.example');
    await tick(app, james, una, { administrator: 'yes', confirm: 'yes' });
    expect(await may('una@innovations.example', 'organisation-admin')).toBe(true);
    const answer = await tick(app, james, await pageOf('JHOWEL12'), {
      services: ['efs', 'hias', 'hms'],
      administrator: [],
      confirm: 'yes',
    });
    expect(answer.status).toBe(422);
    expect(textOf(await james.get(app.portal + innovations))).toContain('Add a second administrator');
  });

  test('two administrators who dismiss each other at the same moment leave one', async () => {
    const siobhan = await asAdministrator(app, 'SOBRIE4', '07700 900104');
    const [ofHelen, ofSiobhan] = [await pageOf('HMARSH3', school), await pageOf('SOBRIE4', school)];
    const [pageOfHelen, pageOfSiobhan] = [await siobhan.get(app.portal + ofHelen), await helen.get(app.portal + ofSiobhan)];
    const fields = { services: ['hias', 'governors'], administrator: [], confirm: 'yes' };
    const answers = await Promise.all([
      tick(app, helen, ofSiobhan, fields, pageOfSiobhan),
      tick(app, siobhan, ofHelen, fields, pageOfHelen),
    ]);
    expect(answers.map(answer => answer.status).sort()).toEqual([200, 403]);
    expect([await may('HMARSH3', 'organisation-admin', 2), await may('SOBRIE4', 'organisation-admin', 2)].filter(Boolean)).toHaveLength(1);
  });
});

describe('an attack', () => {
  test('other organisations’ people and organisations answer like ones that do not exist', async () => {
    const ken = await pageOf('KEN144');
    const foreign = await helen.get(app.portal + ken);
    const invented = await helen.get(`${app.portal}/organisations/99/people/1`);
    const reference = /[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}/g;
    expect([foreign.status, invented.status]).toEqual([404, 404]);
    expect(textOf(foreign).replace(reference, '')).toBe(textOf(invented).replace(reference, ''));
    const own = await james.get(app.portal + ken);
    const person = await idOf(app, 'JSMITH12');
    const before = await app.store.db.selectFrom('rules').selectAll().execute();
    for (const path of ['', '/remove', '/security-phone/delete']) {
      const answer = await james.submit(`${app.portal}${innovations}/people/${person}${path}`, own, { services: 'efs', reason: 'left' });
      expect(answer.status).toBe(404);
      expect(textOf(answer)).not.toContain('Jane');
    }
    expect(await app.store.db.selectFrom('rules').selectAll().execute()).toEqual(before);
  });

  test('a tick for what was not shown, is not the organisation’s or does not exist gives nothing', async () => {
    const address = await pageOf('carlospictor@pictor.example');
    for (const id of ['governors', 'council-admin', 'organisation-admin', 'no-such-service', 'r:efs', 'efs, o:2', '__proto__']) {
      const answer = await tick(app, james, address, { services: [id], shown: [id] });
      expect(answer.status).toBe(409);
    }
    const unseen = await tick(app, james, address, { services: ['efs'], shown: ['hms'] });
    expect(unseen.status).toBe(409);
    const rows = await app.store.db
      .selectFrom('rules')
      .selectAll()
      .where('v0', '=', `u:${await idOf(app, 'carlospictor@pictor.example')}`)
      .execute();
    expect(rows).toEqual([]);
  });

  test('a person’s name is text wherever it is shown', async () => {
    const id = await idOf(app, 'KEN144');
    await app.store.db.updateTable('people').set({ first_name: '<img src=x onerror=alert(1)>' }).where('id', '=', id).execute();
    const page = await tick(app, james, await pageOf('KEN144'), { services: ['efs'] });
    for (const answer of [page, await james.get(`${app.portal}${innovations}/people`)]) expect(answer.body).not.toContain('<img src=x');
  });
});
