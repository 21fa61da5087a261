import { tell } from '#notify/tell.ts';
import { append } from '#store/activity.ts';
import type { Change } from '#store/database.ts';
import { fullName } from '#store/names.ts';
import { person as personById, setSecurityPhone } from '#store/people.ts';
import { administratorNames } from '#store/rights.ts';
import { numberBeingRegistered, takeCode } from '#store/security-codes.ts';
import { setAdminSeen } from '#store/step-up.ts';
import type { PersonRow } from '#store/tables.ts';
import type { Visitor } from '#views/visitor.ts';
import type { AdminDeps } from '../deps.ts';
import { freshSince } from '../step-up.ts';
import { limitsOf, purposeFor, type Sent, sendCode } from './codes.ts';
import { endingOf } from './phone-number.ts';

export type Confirmation = { outcome: 'right' | 'wrong' | 'too-many-tries' | 'nothing-sent' } | { outcome: 'expired'; again: Sent };

/**
 * Judges a typed code. A right one opens the administration for this session and, for a number being registered, only then stores
 * it and tells its owner; an expired one is replaced. One transaction, so that parallel guesses are counted one by one.
 */
export function confirmCode(deps: AdminDeps, visitor: Visitor, code: string): Promise<Confirmation> {
  return deps.store.change(async tx => {
    const now = deps.now();
    const person = await personById(tx, visitor.personId);
    if (!person) return { outcome: 'nothing-sent' };
    // A second press of the button finds the code used up by the first; that is no reason to send another.
    if ((await freshSince(tx, visitor.sessionId, deps)) !== null) return { outcome: 'right' };
    const asked = { person: person.id, session: visitor.sessionId, purpose: purposeFor(person), now };
    const taken = await takeCode(tx, { ...asked, code, key: deps.keys.code, limits: limitsOf(deps.settings) });
    if (taken.outcome === 'right') {
      if (person.security_phone === null) await storePhone(tx, { person, visitor, phone: taken.phone, now });
      await setAdminSeen(tx, visitor.sessionId, now);
      return { outcome: 'right' };
    }
    if (taken.outcome === 'too-many') return { outcome: 'too-many-tries' };
    if (taken.outcome === 'wrong') return { outcome: 'wrong' };
    const phone = person.security_phone ?? (await numberBeingRegistered(tx, person.id, visitor.sessionId));
    return phone === null ? { outcome: 'nothing-sent' } : { outcome: 'expired', again: await sendCode(tx, deps, { ...asked, phone }) };
  });
}

type Registration = { person: PersonRow; visitor: Visitor; phone: string; now: number };

async function storePhone(tx: Change, { person, visitor, phone, now }: Registration): Promise<void> {
  await setSecurityPhone(tx, person.id, phone, now);
  const organisation = visitor.organisation ?? visitor.organisations[0];
  const activity = await append(tx, {
    at: now,
    kind: 'security-phone-set',
    actor: person.id,
    person: person.id,
    organisation: organisation?.id ?? null,
    session: visitor.sessionId,
    text: { person: fullName(person) },
  });
  if (!organisation) return;
  const administrators = await administratorNames(tx, organisation.id, now);
  const data = { organisation: organisation.name, at: now, phoneEnding: endingOf(phone), administrators };
  await tell(tx, person, 'security-phone-set', data, { activity, now });
}
