import { expect, test } from 'vitest';
import { saveAccess } from '#admin-ui/access/save.ts';
import { accessState } from '#admin-ui/access/state.ts';
import type { AdminDeps } from '#admin-ui/deps.ts';
import { listPeople } from '#admin-ui/people/queries.ts';
import { invite } from '#admin-ui/registration/invite.ts';
import { removePerson } from '#admin-ui/removal/remove-person.ts';
import { sendCode } from '#admin-ui/security-phone/codes.ts';
import { confirmCode } from '#admin-ui/security-phone/confirmation.ts';
import { freshSince } from '#admin-ui/step-up.ts';
import { demoCatalogue } from '#config/demo/catalogue.ts';
import type { Store } from '#store/database.ts';
import { organisation } from '#store/organisations.ts';
import { secretsOf } from '#store/outbox.ts';
import { claim } from '#store/outbox-queue.ts';
import { appointAdministrator, subscribe } from '#store/rules.ts';
import type { Visitor } from '#views/visitor.ts';
import { addSchool, key, onEveryStore, signIn, start } from './stores.ts';

const catalogue = demoCatalogue(8080, () => 'http://127.0.0.1:9');
const settings = {
  adminAwayMinutes: 60,
  code: { minutes: 10, tries: 5, sendsPerHour: 5, sendsPerDay: 10 },
  signIn: { tries: 10, waitMinutes: 15, addressTries: 100 },
  invitationDays: 7,
};

/** What the changes ask for; the screens' own needs are not among it. */
function depsOf(store: Store): AdminDeps {
  const given = { store, catalogue, settings, now: () => start, keys: { code: key, seal: key } };
  const setPasswordAddress = (token: string) => `https://portal.example/set-password?token=${token}`;
  return { ...given, setPasswordAddress } as Partial<AdminDeps> as AdminDeps;
}

async function begin(store: Store) {
  const school = await addSchool(store);
  const { ann, organisation: id } = school;
  const { session } = await signIn(store, ann, id);
  await store.change(async tx => {
    await appointAdministrator(tx, { organisation: id, person: ann, by: null, now: start });
    for (const service of ['efs', 'hias']) await subscribe(tx, { organisation: id, service, grantable: true, by: null, now: start });
  });
  const row = await organisation(store.db, id);
  if (!row) throw new Error('the school is not there');
  const here = { id, name: row.name };
  const visitor: Visitor = {
    personId: ann,
    firstName: 'Ann',
    name: 'Ann Ash',
    sessionId: session,
    organisation: here,
    organisations: [here],
    administers: true,
    councilOperator: false,
  };
  return { ...school, school: row, visitor, deps: depsOf(store) };
}

onEveryStore('the administration', house => {
  test('gives, finds a stale form, appoints and refuses to lose the last administrator', async () => {
    const { ann, ben, school, visitor, deps } = await begin(house.store);
    const save = (person: number, body: object) => saveAccess(deps, { organisation: school, person, visitor, body });
    const form = { version: '1', shown: ['efs', 'hias'], services: ['efs'], 'ends-efs': '31 3 2030' };
    const answers = await Promise.all([save(ben, form), save(ben, { ...form, services: ['hias'] })]);
    expect(answers.map(answer => answer.outcome).sort()).toEqual(['saved', 'stale']);
    const state = await accessState(house.store.db, catalogue, { organisation: school.id, person: ben, actor: ann, now: start });
    expect(state?.version).toBe(2);
    expect(state?.offers.filter(offer => offer.grant !== null)).toHaveLength(1);
    const last = await save(ann, { version: '1', 'administrator-shown': 'yes', confirm: 'yes' });
    expect(last.outcome).toBe('last-administrator');
  });

  test('searches names, user IDs and addresses alike', async () => {
    const { school, visitor, deps, ben } = await begin(house.store);
    const details = { firstName: 'Zoë', lastName: "O'Brien-Łaska", email: 'zoe@a.example', phone: null };
    await invite(deps, { visitor, organisation: school, details });
    const found = async (words: string) => (await listPeople(house.store.db, school.id, words, 1)).people.map(person => person.first_name);
    for (const words of ['zoe', 'OBRIEN', 'o’brien laska', 'ZOE@A.example']) expect(await found(words)).toEqual(['Zoë']);
    expect(await found('ben3001')).toEqual(['Ben']);
    expect(await found('')).toEqual(['Ann', 'Ben', 'Zoë']);
    for (const words of ['%', '_', '\\', "'; drop table people; --"]) expect(await found(words)).toEqual([]);
    expect((await listPeople(house.store.db, school.id, '', 9)).page).toBe(1);
    expect((await removePerson(deps, { visitor, organisation: school, person: ben, reason: 'left' })).outcome).toBe('removed');
    expect(await found('')).toEqual(['Ann', 'Zoë']);
  });

  test('stores a phone with its right code, once, however often it is sent', async () => {
    const { ann, visitor, deps } = await begin(house.store);
    const asked = { person: ann, session: visitor.sessionId, purpose: 'register-phone', phone: '+447700900982', now: start } as const;
    await house.store.change(tx => sendCode(tx, deps, asked));
    const [message] = await claim(house.store.db, start, 1);
    const code = message && secretsOf(message, key).code;
    const results = await Promise.all([1, 2, 3].map(() => confirmCode(deps, visitor, code ?? '')));
    expect(results.map(result => result.outcome)).toEqual(['right', 'right', 'right']);
    const person = await house.store.db.selectFrom('people').select('security_phone').where('id', '=', ann).executeTakeFirst();
    expect(person?.security_phone).toBe('+447700900982');
    expect(await freshSince(house.store.db, visitor.sessionId, deps)).toBe(start);
    expect(await house.store.db.selectFrom('activity').select('id').where('kind', '=', 'security-phone-set').execute()).toHaveLength(1);
  });
});
