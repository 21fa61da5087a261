import type { DemoOrganisation } from '#config/demo/organisations.ts';
import type { DemoPerson } from '#config/demo/people.ts';
import { append } from '#store/activity.ts';
import type { Change, Store } from '#store/database.ts';
import { addIdentity, setPassword } from '#store/identities.ts';
import { installationValue, rememberValue } from '#store/installation.ts';
import { addMembership } from '#store/memberships.ts';
import { fullName } from '#store/names.ts';
import { addOrganisation } from '#store/organisations.ts';
import { addPerson, setSecurityPhone } from '#store/people.ts';
import { appointAdministrator, giveCouncilRole, grant, subscribe } from '#store/rules.ts';
import type { Hashing } from './sign-in/hashing.ts';

type DemoData = { organisations: readonly DemoOrganisation[]; people: readonly DemoPerson[]; hashing: Hashing; now: () => number };

/** Fills an empty demo with its organisations and people, in one transaction; a second start finds them there. */
export async function seedDemo(store: Store, data: DemoData): Promise<void> {
  if ((await installationValue(store.db, 'demo-data')) !== undefined) return;
  const hashes = new Map<string, string>();
  for (const person of data.people) {
    if (person.kind === 'registered') hashes.set(person.userId, await data.hashing.hash(person.password));
  }
  const now = data.now();
  await store.change(async tx => {
    // Another process may have been first meanwhile.
    if ((await installationValue(tx, 'demo-data')) !== undefined) return;
    const ids = new Map<string, number>();
    for (const organisation of data.organisations) ids.set(organisation.code, await addDemoOrganisation(tx, organisation, now));
    for (const person of data.people) await addDemoPerson(tx, person, { ids, hashes, now });
    await rememberValue(tx, 'demo-data', 'complete');
  });
}

async function addDemoOrganisation(
  tx: Change,
  { code, name, type, provisioning, services }: DemoOrganisation,
  now: number,
): Promise<number> {
  const organisation = await addOrganisation(tx, { code, name, type, provisioning, now });
  await append(tx, { at: now, kind: 'organisation-added', organisation, text: { organisation: name } });
  for (const service of services) {
    await subscribe(tx, { organisation, service, grantable: true, by: null, now });
    await append(tx, { at: now, kind: 'subscription-added', organisation, service });
  }
  return organisation;
}

type Known = { ids: ReadonlyMap<string, number>; hashes: ReadonlyMap<string, string>; now: number };

async function addDemoPerson(tx: Change, someone: DemoPerson, { ids, hashes, now }: Known): Promise<void> {
  const { sourceId, firstName, lastName, email, phone, securityPhone, kind, userId } = someone;
  const person = await addPerson(tx, { sourceId, firstName, lastName, email, phone, now });
  await addIdentity(tx, { person, kind, subject: userId, now });
  const hash = hashes.get(userId);
  if (hash !== undefined) await setPassword(tx, person, hash, now);
  if (securityPhone) await setSecurityPhone(tx, person, securityPhone, now);
  const name = fullName({ first_name: firstName, last_name: lastName });
  await append(tx, { at: now, kind: 'person-added', person, text: { person: name } });
  for (const membership of someone.organisations) {
    const organisation = ids.get(membership.code);
    if (organisation === undefined) throw new Error(`The demo has no organisation ${membership.code}`);
    await addMembership(tx, { organisation, person, jobRole: membership.jobRole, now });
    if (membership.administrator) await appointAdministrator(tx, { organisation, person, by: null, now });
    for (const service of membership.services) await grant(tx, { organisation, person, service, endsAt: null, by: null, now });
    await append(tx, {
      at: now,
      kind: 'membership-added',
      organisation,
      person,
      data: { services: membership.services, administrator: membership.administrator },
    });
  }
  if (someone.councilOperator) {
    await giveCouncilRole(tx, { person, by: null, now });
    await append(tx, { at: now, kind: 'council-role-given', person });
  }
}
