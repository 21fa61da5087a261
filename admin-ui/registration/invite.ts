import { tell } from '#notify/tell.ts';
import { append } from '#store/activity.ts';
import type { Change } from '#store/database.ts';
import { addIdentity, identitiesOf } from '#store/identities.ts';
import { addLink } from '#store/links.ts';
import { addMembership } from '#store/memberships.ts';
import { subjectKey } from '#store/names.ts';
import { addPerson, findByIdentity, person as personById } from '#store/people.ts';
import { administratorNames } from '#store/rights.ts';
import type { OrganisationRow, PersonRow, Reader } from '#store/tables.ts';
import type { Visitor } from '#views/visitor.ts';
import type { AdminDeps } from '../deps.ts';
import { askWithin } from '../standing.ts';
import { authorOf, entryOf } from '../subject.ts';
import type { Details } from './form.ts';

const dayMs = 86_400_000;

export type Invitation = { visitor: Visitor; organisation: OrganisationRow; details: Details };
export type Invited =
  | { outcome: 'not-administrator' | 'yourself' }
  | { outcome: 'already-here'; person: PersonRow }
  | { outcome: 'invited'; person: number; activity: number };

/**
 * Adds somebody who signs in with an e-mail address to the organisation and tells them. Somebody registered elsewhere becomes a
 * member here too, and whoever invites learns nothing of where else they belong.
 */
export function invite(deps: AdminDeps, invitation: Invitation): Promise<Invited> {
  const { visitor, organisation, details } = invitation;
  return deps.store.change(async tx => {
    const now = deps.now();
    const may = await askWithin(tx, organisation.id, visitor.personId, now);
    if (!may('organisation-admin', 'use')) return { outcome: 'not-administrator' };
    const here = await memberByEmail(tx, organisation.id, details.email);
    if (here) return here.id === visitor.personId ? { outcome: 'yourself' } : { outcome: 'already-here', person: here };
    const known = await findByIdentity(tx, 'local', details.email);
    const person = known ?? (await register(tx, invitation, now));
    const activity = await join(tx, invitation, person, now);
    await sendLetter(tx, deps, invitation, person, { activity, now });
    return { outcome: 'invited', person: person.id, activity };
  });
}

/** Somebody of this organisation with that address, whether they sign in with it or only have it. */
async function memberByEmail(db: Reader, organisation: number, email: string): Promise<PersonRow | undefined> {
  const key = subjectKey(email);
  return db
    .selectFrom('people')
    .innerJoin('memberships', 'memberships.person_id', 'people.id')
    .selectAll('people')
    .where('memberships.organisation_id', '=', organisation)
    .where('memberships.removed_at', 'is', null)
    .where(where =>
      where.or([
        where('people.email_key', '=', key),
        where.exists(
          where
            .selectFrom('identities')
            .select('identities.id')
            .whereRef('identities.person_id', '=', 'people.id')
            .where('identities.provider', '=', 'local')
            .where('identities.subject_key', '=', key),
        ),
      ]),
    )
    .orderBy('people.id')
    .limit(1)
    .executeTakeFirst();
}

async function register(tx: Change, { visitor, organisation, details }: Invitation, now: number): Promise<PersonRow> {
  const id = await addPerson(tx, { ...details, now });
  await addIdentity(tx, { person: id, kind: 'registered', subject: details.email, now });
  const person = await personById(tx, id);
  if (!person) throw new Error('the person just added is not there');
  await append(tx, { ...entryOf(visitor, organisation, person, now), kind: 'person-added' });
  return person;
}

async function join(tx: Change, { visitor, organisation }: Invitation, person: PersonRow, now: number): Promise<number> {
  const how = await addMembership(tx, { organisation: organisation.id, person: person.id, now });
  const kind = how === 'restored' ? 'membership-restored' : 'membership-added';
  return append(tx, { ...entryOf(visitor, organisation, person, now), kind });
}

type Written = { activity: number; now: number };

/** Whoever has no password yet gets a link to choose one; whoever has one is told where they were added. */
async function sendLetter(tx: Change, deps: AdminDeps, invitation: Invitation, person: PersonRow, written: Written): Promise<void> {
  const { visitor, organisation, details } = invitation;
  const by = authorOf(visitor, organisation);
  const identities = await identitiesOf(tx, person.id);
  if (identities.some(({ password_hash }) => password_hash !== null)) {
    const added = [{ name: `Member of ${organisation.name}`, endsOn: null }];
    const administrators = await administratorNames(tx, organisation.id, written.now);
    await tell(
      tx,
      person,
      'access-changed',
      { organisation: organisation.name, by, at: written.now, added, now: [], administrators },
      written,
    );
    return;
  }
  const expiresAt = written.now + deps.settings.invitationDays * dayMs;
  const token = await addLink(tx, { person: person.id, purpose: 'invitation', expiresAt, now: written.now });
  await append(tx, { ...entryOf(visitor, organisation, person, written.now), kind: 'link-made', data: { purpose: 'invitation' } });
  const link = { key: deps.keys.seal, address: deps.setPasswordAddress(token), expiresAt };
  const data = { organisation: organisation.name, by, userId: details.email, linkExpiresAt: expiresAt };
  await tell(tx, person, 'invitation', data, { ...written, link });
}
