import { tell } from '#notify/tell.ts';
import { append } from '#store/activity.ts';
import type { Change } from '#store/database.ts';
import { moveVersion } from '#store/memberships.ts';
import { administratorNames } from '#store/rights.ts';
import { appointAdministrator, dismissAdministrator, grant, revokeGrant } from '#store/rules.ts';
import type { OrganisationRow } from '#store/tables.ts';
import type { Visitor } from '#views/visitor.ts';
import type { AdminDeps } from '../deps.ts';
import { isLastAdministrator } from '../standing.ts';
import { authorOf, entryOf } from '../subject.ts';
import { administratorName, type Difference, differenceOf, isNothing } from './difference.ts';
import { lastDay } from './end-date.ts';
import { type AccessForm, readForm } from './form.ts';
import { type AccessState, accessState } from './state.ts';

export type Asked = { organisation: OrganisationRow; person: number; visitor: Visitor; body: unknown };
export type Saved =
  | { outcome: 'not-found' | 'not-administrator' }
  | { outcome: 'faulty' | 'stale' | 'last-administrator'; state: AccessState; form: AccessForm }
  | { outcome: 'confirm'; state: AccessState; form: AccessForm; difference: Difference }
  | { outcome: 'unchanged'; activity: number | null }
  | { outcome: 'saved'; activity: number; lostOwnAdministration: boolean };

/**
 * Judges and saves a form of somebody's access in one transaction: the lock comes first, so two administrators who dismiss each
 * other at the same moment are two changes one after the other, and the second finds itself without the right.
 */
export function saveAccess(deps: AdminDeps, asked: Asked): Promise<Saved> {
  const { organisation, person, visitor, body } = asked;
  return deps.store.change(async tx => {
    const now = deps.now();
    const state = await accessState(tx, deps.catalogue, { organisation: organisation.id, person, actor: visitor.personId, now });
    if (!state) return { outcome: 'not-found' };
    if (!state.actor.administers) return { outcome: 'not-administrator' };
    const form = readForm(body, state, now);
    const difference = differenceOf(state, form);
    const hindrance = await hindranceTo(tx, state, form, difference, now);
    if (hindrance === 'unchanged') return { outcome: 'unchanged', activity: await ownLastChange(tx, asked, state, form) };
    if (hindrance === 'confirm') return { outcome: 'confirm', state, form, difference };
    if (hindrance) return { outcome: hindrance, state, form };
    const activity = await write(tx, asked, state, difference, now);
    return { outcome: 'saved', activity, lostOwnAdministration: difference.administrator === 'dismiss' && person === visitor.personId };
  });
}

async function hindranceTo(tx: Change, state: AccessState, form: AccessForm, difference: Difference, now: number) {
  if (form.outdated) return 'stale';
  if (form.errors.length > 0) return 'faulty';
  if (isNothing(difference)) return 'unchanged';
  if (form.version !== state.version) return 'stale';
  const { administrator } = difference;
  if (administrator === 'dismiss' && (await isLastAdministrator(tx, state.organisation, state.person.id, now))) return 'last-administrator';
  return administrator !== null && !form.confirmed ? 'confirm' : null;
}

/** The form pressed twice: the second finds everything done by the first, whose answer the person has not seen. */
async function ownLastChange(tx: Change, { visitor }: Asked, state: AccessState, form: AccessForm): Promise<number | null> {
  if (form.version === state.version) return null;
  const row = await tx
    .selectFrom('activity')
    .select(['id', 'actor_id'])
    .where('kind', '=', 'access-changed')
    .where('organisation_id', '=', state.organisation)
    .where('person_id', '=', state.person.id)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.actor_id === visitor.personId ? row.id : null;
}

async function write(tx: Change, asked: Asked, state: AccessState, difference: Difference, now: number): Promise<number> {
  const { organisation, visitor } = asked;
  const where = { organisation: organisation.id, person: state.person.id, by: visitor.personId, now };
  await moveVersion(tx, organisation.id, state.person.id, state.version);
  for (const { service, endsAt } of [...difference.added, ...difference.endChanged])
    await grant(tx, { ...where, service: service.id, endsAt });
  for (const { id } of difference.removed) await revokeGrant(tx, { ...where, service: id });
  if (difference.administrator === 'appoint') await appointAdministrator(tx, where);
  if (difference.administrator === 'dismiss') await dismissAdministrator(tx, where);
  const activity = await record(tx, asked, state, difference, now);
  await tellPerson(tx, asked, state, difference, { activity, now });
  return activity;
}

async function record(
  tx: Change,
  { organisation, visitor }: Asked,
  state: AccessState,
  difference: Difference,
  at: number,
): Promise<number> {
  const who = entryOf(visitor, organisation, state.person, at);
  const { added, removed, endChanged, administrator } = difference;
  if (administrator)
    await append(tx, { ...who, kind: administrator === 'appoint' ? 'administrator-appointed' : 'administrator-dismissed' });
  const ends = [...added, ...endChanged].map(({ service, endsAt }) => [service.id, endsAt] as const);
  const data = {
    added: added.map(({ service }) => service.id),
    removed: removed.map(({ id }) => id),
    endChanged: endChanged.map(({ service }) => service.id),
    ends: Object.fromEntries(ends),
    administrator,
  };
  return append(tx, { ...who, kind: 'access-changed', data });
}

const right = (name: string, endsAt: number | null) => ({ name, endsOn: endsAt === null ? null : lastDay(endsAt) });

/** One letter for the whole save, with what the person has now. */
async function tellPerson(
  tx: Change,
  asked: Asked,
  state: AccessState,
  difference: Difference,
  written: { activity: number; now: number },
) {
  const { organisation, visitor } = asked;
  const { added, removed, endChanged, administrator } = difference;
  const gone = new Set(removed.map(({ id }) => id));
  const changed = new Map([...added, ...endChanged].map(({ service, endsAt }) => [service.id, endsAt]));
  const now = state.offers.flatMap(({ id, name, grant: held }) => {
    if (changed.has(id)) return [right(name, changed.get(id) ?? null)];
    return held && !gone.has(id) ? [right(name, held.endsAt)] : [];
  });
  const administers = administrator ? administrator === 'appoint' : state.administrator;
  const box = right(administratorName, null);
  await tell(
    tx,
    state.person,
    'access-changed',
    {
      organisation: organisation.name,
      by: authorOf(visitor, organisation),
      at: written.now,
      added: [...added.map(({ service, endsAt }) => right(service.name, endsAt)), ...(administrator === 'appoint' ? [box] : [])],
      removed: [...removed.map(({ name }) => name), ...(administrator === 'dismiss' ? [administratorName] : [])],
      endDateChanged: endChanged.map(({ service, endsAt }) => right(service.name, endsAt)),
      now: [...now, ...(administers ? [box] : [])],
      administrators: await administratorNames(tx, organisation.id, written.now),
    },
    written,
  );
}
