import { addLink } from '#store/links.ts';
import { addMembership } from '#store/memberships.ts';
import { setSecurityPhone } from '#store/people.ts';
import { newestCode } from './admin-ui-steps.ts';
import type { Persona, Scene, Visit } from './permissions-personas.ts';

type Fields = Record<string, string | string[]>;

export type Form = {
  /** What a page of ours would send beside the token; made for each attempt, together with whatever it needs to succeed. */
  fields(scene: Scene, visit: Visit): Promise<Fields> | Fields;
  /** Whose store is another afterwards, among those the form is served to; left out: all of theirs. */
  changesFor?: readonly Persona[];
  /** Whom the address is about, by user ID. */
  about?: string;
  /** The form itself names the school, so that being signed in is not enough. */
  namesTheSchool?: true;
};

const password = 'correct horse battery staple';
const aboutJane = 'JSMITH12';
const aboutWilhelmina = 'WFEATH7';
let invited = 0;

/** A form for every POST route of the portal, by the route's address as it is registered. */
export const forms: Record<string, Form> = {
  '/sign-in': { fields: () => ({ user_id: 'WENDY166', password: 'heron-basket-166' }) },
  '/sign-out': { fields: () => ({}) },
  '/forgot-password': { fields: () => ({ how: 'email' }), changesFor: [] },
  '/forgot-password/email': { fields: () => ({ email: 'paul@innovations.example' }) },
  '/set-password': { fields: async scene => ({ token: await linkOf(scene), password }) },
  '/organisation': { fields: ({ school }) => ({ organisation: String(school) }), namesTheSchool: true },
  // Whoever has a phone cannot replace it here.
  '/security-phone': { fields: withoutPhone, changesFor: ['its administrator without a code'] },
  // Whose code was right already is let through.
  '/security-code': { fields: withCode, changesFor: ['its administrator without a code'] },
  '/security-code/new': { fields: withNumber },
  '/organisations/:organisation/people/new': {
    fields: () => ({ step: 'details', firstName: 'Ann', lastName: 'Ash', email: `ann${++invited}@ash.example`, phone: '' }),
  },
  '/organisations/:organisation/people/:person': { about: aboutJane, fields: anotherTick },
  '/organisations/:organisation/people/:person/security-phone/delete': { about: aboutJane, fields: withPhoneToDelete },
  '/organisations/:organisation/people/:person/remove': { about: aboutWilhelmina, fields: asMember },
};

function linkOf({ app }: Scene): Promise<string> {
  return app.store.change(async tx => {
    const paul = await tx.selectFrom('people').select('id').where('email', '=', 'paul@innovations.example').executeTakeFirstOrThrow();
    return addLink(tx, { person: paul.id, purpose: 'reset', now: app.clock.now, expiresAt: app.clock.now + 3_600_000 });
  });
}

async function withoutPhone({ app, personOf }: Scene, { persona }: Visit): Promise<Fields> {
  const siobhan = await personOf('SOBRIE4');
  if (persona === 'its administrator without a code') await app.store.change(tx => setSecurityPhone(tx, siobhan, null, app.clock.now));
  return { phone: '07700 900982' };
}

/** A number to send a code to, of whoever may register one. */
async function withNumber({ app }: Scene, { persona, browser, token }: Visit): Promise<Fields> {
  if (persona === 'its administrator without a code')
    await browser.submit(`${app.portal}/security-phone`, null, { phone: '07700 900982', _csrf: token }, { follow: false });
  return {};
}

async function withCode(scene: Scene, visit: Visit): Promise<Fields> {
  await withoutPhone(scene, visit);
  await withNumber(scene, visit);
  return { code: (await newestCode(scene.app)) || '000000' };
}

/** One box more than Jane has, or one fewer. */
async function anotherTick({ app, school, personOf }: Scene): Promise<Fields> {
  const { version } = await app.store.db
    .selectFrom('memberships')
    .select('version')
    .where('organisation_id', '=', school)
    .where('person_id', '=', await personOf(aboutJane))
    .executeTakeFirstOrThrow();
  return { version: String(version), shown: ['trailblazer', 'hias'], services: version % 2 ? ['trailblazer'] : ['hias'] };
}

async function withPhoneToDelete({ app, personOf }: Scene): Promise<Fields> {
  const jane = await personOf(aboutJane);
  await app.store.change(tx => setSecurityPhone(tx, jane, '+447700900112', app.clock.now));
  return {};
}

async function asMember({ app, school, personOf }: Scene): Promise<Fields> {
  const person = await personOf(aboutWilhelmina);
  await app.store.change(tx => addMembership(tx, { organisation: school, person, now: app.clock.now }));
  return { reason: 'left' };
}
