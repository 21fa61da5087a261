import { domainOf, type Question } from '#policies/decision.ts';
import { buildRights } from '#policies/rights.ts';
import { factsOf, type StoredRule } from '#store/facts.ts';
import { administratorsOf } from '#store/rights.ts';
import { administratorRole, personSubject } from '#store/rule-rows.ts';
import type { PersonRow, Reader } from '#store/tables.ts';

/**
 * Asks about one person's rights in an organisation as the given reader sees them now. Inside a change this is the truth that the
 * change will be made on, which the memory of the running process cannot promise.
 */
export async function askWithin(db: Reader, organisation: number, person: number, now: number) {
  const domain = domainOf(organisation);
  const facts = await factsOf(db, domain);
  const concerns = (rule: StoredRule) => rule.ptype === 'p' || rule.v[1] === administratorRole || rule.v[0] === personSubject(person);
  const rights = buildRights(domain, { ...facts, rules: facts.rules.filter(concerns) }, now);
  return (service: string, action: Question['action'], who = person): boolean =>
    rights.judge({ person: who, organisation, service, action }).outcome === 'allow';
}

/** The administrators who could step in today: an invited one who has not chosen a password yet cannot. */
export async function administratorsWhoCanSignIn(db: Reader, organisation: number, now: number): Promise<PersonRow[]> {
  const administrators = await administratorsOf(db, organisation, now);
  if (administrators.length === 0) return [];
  const rows = await db
    .selectFrom('identities')
    .select('person_id')
    .distinct()
    .where(
      'person_id',
      'in',
      administrators.map(person => person.id),
    )
    .where(where => where.or([where('provider', '=', 'directory'), where('password_hash', 'is not', null)]))
    .execute();
  const able = new Set(rows.map(row => row.person_id));
  return administrators.filter(person => able.has(person.id));
}

/** Why the last administrator stays one, and what to do. */
export const lastAdministrator = {
  why: 'Your organisation needs at least one administrator',
  next: 'Make someone else an administrator first',
};

/** Whether the organisation would have nobody left to administer it without this person, who does so now. */
export async function isLastAdministrator(db: Reader, organisation: number, person: number, now: number): Promise<boolean> {
  const may = await askWithin(db, organisation, person, now);
  if (!may('organisation-admin', 'use')) return false;
  const able = await administratorsWhoCanSignIn(db, organisation, now);
  return !able.some(other => other.id !== person && may('organisation-admin', 'use', other.id));
}
