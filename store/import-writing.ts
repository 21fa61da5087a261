import { appendAll, type NewEntry } from './activity.ts';
import type { Change } from './database.ts';
import { addIdentities, addIdentity, changeSubject } from './identities.ts';
import { type ImportResult, type ImportRow, subjectOf } from './import-rows.ts';
import type { ImportState, KnownPerson } from './import-state.ts';
import { type Welcomed, type Welcoming, welcome } from './import-welcome.ts';
import { cancelLinks } from './links.ts';
import { addMembership, addMemberships, type NewMembership, setJobRole } from './memberships.ts';
import { fullName } from './names.ts';
import { addOrganisations, type NewOrganisation, renameOrganisation } from './organisations.ts';
import { addPeople, changeDetails } from './people.ts';
import { appointAdministrators } from './rules.ts';

export type JudgedRow = { row: ImportRow; result: ImportResult };
type Writing = Welcoming & { welcomed: Welcomed };

/** Where a row's person and organisation ended up. */
type Written = JudgedRow & { person: number; organisation: number; known: KnownPerson | undefined };

const named = (row: ImportRow) => ({ person: fullName(row) });

/** Writes rows of different people, each judged new or changed by this very state, with the activity of all of them. */
export async function writeRows(tx: Change, judged: readonly JudgedRow[], state: ImportState, run: Writing): Promise<void> {
  const { now } = run;
  const log: NewEntry[] = [];
  const organisations = await writeOrganisations(tx, judged, state, log, now);
  const people = await writeNewPeople(tx, judged, state, log, now);
  const rows = judged.map(({ row, result }): Written => {
    const known = state.people.get(row.source_id);
    return {
      row,
      result,
      known,
      person: known?.row.id ?? people.get(row.source_id)!,
      organisation: organisations.get(row.organisation_code)!,
    };
  });
  for (const one of rows) if (one.known) await writeChanges(tx, one, one.known, log, now);
  await writeMemberships(tx, rows, log, now);
  await appendAll(tx, log);
  await writeAdministrators(
    tx,
    rows.filter(({ result }) => result.madeAdministrator),
    run,
  );
}

/** The ids of the rows' organisations by code, after adding the new ones and giving those renamed their new name. */
async function writeOrganisations(tx: Change, rows: readonly JudgedRow[], state: ImportState, log: NewEntry[], now: number) {
  const ids = new Map([...state.organisations].map(([code, { id }]) => [code, id]));
  const names = new Map([...state.organisations].map(([code, { name }]) => [code, name]));
  const added = new Map<string, NewOrganisation>();
  for (const { row } of rows) {
    const { organisation_code: code, organisation_name: name } = row;
    const before = names.get(code);
    if (before !== undefined && (name === '' || name === before)) continue;
    names.set(code, name);
    const id = ids.get(code);
    if (id === undefined || before === undefined) {
      added.set(code, { code, name, type: 'school', provisioning: 'none', now });
    } else {
      await renameOrganisation(tx, id, name);
      log.push({ at: now, kind: 'organisation-changed', organisation: id, data: { code }, text: { organisation: name, before } });
    }
  }
  for (const [code, organisation] of await addOrganisations(tx, [...added.values()])) {
    ids.set(code, organisation);
    log.push({ at: now, kind: 'organisation-added', organisation, data: { code }, text: { organisation: names.get(code)! } });
  }
  return ids;
}

/** Adds the people nobody has heard of, with their sign-ins, and returns their ids by source id. */
async function writeNewPeople(tx: Change, rows: readonly JudgedRow[], state: ImportState, log: NewEntry[], now: number) {
  const added = rows.map(({ row }) => row).filter(row => !state.people.has(row.source_id));
  const ids = await addPeople(
    tx,
    added.map(row => ({ sourceId: row.source_id, ...detailsOf(row), now })),
  );
  await addIdentities(
    tx,
    added.map(row => identityOf(row, ids.get(row.source_id)!, now)),
  );
  for (const row of added) log.push({ at: now, kind: 'person-imported', person: ids.get(row.source_id)!, text: named(row) });
  return ids;
}

function identityOf(row: ImportRow, person: number, now: number) {
  const { provider, subject } = subjectOf(row);
  return { person, kind: provider === 'local' ? ('registered' as const) : ('education' as const), subject, now };
}

const detailsOf = (row: ImportRow) => ({
  firstName: row.first_name,
  lastName: row.last_name,
  email: row.email || null,
  phone: row.phone || null,
});

const detailNames = ['first name', 'last name', 'email', 'phone', 'user ID'];

async function writeChanges(tx: Change, { row, result }: Written, known: KnownPerson, log: NewEntry[], now: number): Promise<void> {
  const person = known.row.id;
  const details = result.changes.filter(change => detailNames.includes(change));
  if (details.length === 0) return;
  await changeDetails(tx, person, detailsOf(row));
  if (details.includes('user ID')) {
    const { provider, subject } = subjectOf(row);
    if (known.subjects.has(provider)) await changeSubject(tx, person, provider, subject);
    else await addIdentity(tx, identityOf(row, person, now));
  }
  // A link in a mailbox the person no longer has must not open their account.
  if (details.includes('email')) await cancelLinks(tx, { people: [person], now });
  log.push({ at: now, kind: 'person-changed', person, data: { changes: details }, text: named(row) });
}

async function writeMemberships(tx: Change, rows: readonly Written[], log: NewEntry[], now: number): Promise<void> {
  const added: NewMembership[] = [];
  for (const { row, known, person, organisation } of rows) {
    const jobRole = row.job_role || null;
    if (known?.memberships.has(organisation)) {
      const joined = await addMembership(tx, { organisation, person, jobRole, now });
      if (joined === 'restored') log.push({ at: now, kind: 'membership-restored', organisation, person, text: named(row) });
      await setJobRole(tx, organisation, person, jobRole);
    } else {
      added.push({ organisation, person, jobRole, now });
      log.push({ at: now, kind: 'membership-added', organisation, person, text: named(row) });
    }
  }
  await addMemberships(tx, added);
}

async function writeAdministrators(tx: Change, rows: readonly Written[], run: Writing): Promise<void> {
  const { now } = run;
  await appointAdministrators(tx, rows, { by: null, now });
  const activities = await appendAll(
    tx,
    rows.map(({ row, person, organisation }) => ({
      at: now,
      kind: 'administrator-appointed',
      organisation,
      person,
      text: named(row),
    })),
  );
  const appointed = rows.map(({ row, known, person, organisation }, index) => {
    const hasPassword = known?.subjects.get('local')?.hasPassword ?? false;
    const signsInHere = subjectOf(row).provider === 'local';
    return { organisation, person, email: row.email, activity: activities[index]!, needsPassword: signsInHere && !hasPassword };
  });
  await welcome(
    tx,
    appointed.filter(({ email }) => email !== ''),
    run.welcomed,
    run,
  );
}
