import { append } from './activity.ts';
import type { Change, Store } from './database.ts';
import { addIdentity, changeSubject } from './identities.ts';
import { judgeRow, nothingSeen, type Seen } from './import-judgement.ts';
import { type ImportResult, type ImportRow, subjectOf, trimRow } from './import-rows.ts';
import { type ImportState, type KnownPerson, readImportState } from './import-state.ts';
import { type Welcomed, type Welcoming, welcome } from './import-welcome.ts';
import { cancelLinks } from './links.ts';
import { addMembership, setJobRole } from './memberships.ts';
import { fullName } from './names.ts';
import { addOrganisation, renameOrganisation } from './organisations.ts';
import { addPerson, changeDetails } from './people.ts';
import { appointAdministrator } from './rules.ts';
import type { Reader } from './tables.ts';

/** Rows of one transaction: few enough that nobody else waits long for their change. */
const batchSize = 200;

export type Importing = Welcoming & {
  /** The number of the first row: 2 when the file has a header that people count. Left out: 1. */
  firstRow?: number;
};

/** What the rows of one import know of each other. */
type Run = Importing & { seen: Seen; welcomed: Welcomed };

/** The dry run: what would become of each row, in order. Writes nothing. */
export async function planImport(db: Reader, rows: readonly ImportRow[], now: number, firstRow = 1): Promise<ImportResult[]> {
  const seen = nothingSeen();
  const results: ImportResult[] = [];
  for (let start = 0; start < rows.length; start += batchSize) {
    const batch = rows.slice(start, start + batchSize).map(trimRow);
    const state = await readImportState(db, batch, now);
    batch.forEach((row, index) => {
      results.push(judgeRow(row, start + index + firstRow, state, seen));
    });
  }
  return results;
}

/**
 * Plans the file, then judges every row again under the lock and writes what is neither a conflict nor an error both times.
 * Says what became of each. Batches stand on their own: after a fault in the middle, importing the file again does the rest.
 */
export async function applyImport(store: Store, rows: readonly ImportRow[], importing: Importing): Promise<ImportResult[]> {
  const { firstRow = 1 } = importing;
  const plan = await planImport(store.db, rows, importing.now, firstRow);
  const run: Run = { ...importing, seen: nothingSeen(), welcomed: new Map() };
  const results: ImportResult[] = [];
  for (let start = 0; start < rows.length; start += batchSize) {
    const batch = plan.slice(start, start + batchSize).map(planned => ({ planned, row: trimRow(rows[planned.row - firstRow]!) }));
    results.push(...(await store.change(tx => applyBatch(tx, batch, run))));
  }
  return results;
}

const isWritten = ({ outcome }: ImportResult) => outcome === 'new' || outcome === 'changed';

async function applyBatch(tx: Change, batch: { planned: ImportResult; row: ImportRow }[], run: Run) {
  const results: ImportResult[] = [];
  for (const { planned, row } of batch) {
    // What the dry run left to a human is not written because an earlier row of the file has changed the picture.
    if (planned.outcome === 'conflict' || planned.outcome === 'error') {
      results.push(planned);
      continue;
    }
    const state = await readImportState(tx, [row], run.now);
    const result = judgeRow(row, planned.row, state, run.seen);
    if (isWritten(result)) await write(tx, row, result, state, run);
    results.push(result);
  }
  return results;
}

async function write(tx: Change, row: ImportRow, result: ImportResult, state: ImportState, run: Run): Promise<void> {
  const { now } = run;
  const organisation = await writeOrganisation(tx, row, state, now);
  const known = state.people.get(row.source_id);
  const person = known ? await writeChanges(tx, row, known, result.changes, now) : await writePerson(tx, row, now);
  const joined = await addMembership(tx, { organisation, person, jobRole: row.job_role || null, now });
  if (joined === 'added') await append(tx, { at: now, kind: 'membership-added', organisation, person, text: named(row) });
  if (joined === 'restored') await append(tx, { at: now, kind: 'membership-restored', organisation, person, text: named(row) });
  if (joined !== 'added') await setJobRole(tx, organisation, person, row.job_role || null);
  if (!result.madeAdministrator) return;
  await appointAdministrator(tx, { organisation, person, by: null, now });
  const activity = await append(tx, { at: now, kind: 'administrator-appointed', organisation, person, text: named(row) });
  const hasPassword = known?.subjects.get('local')?.hasPassword ?? false;
  const signsInHere = subjectOf(row).provider === 'local';
  const appointed = { organisation, person, email: row.email, activity, needsPassword: signsInHere && !hasPassword };
  if (row.email !== '') await welcome(tx, appointed, run.welcomed, run);
}

const named = (row: ImportRow) => ({ person: fullName(row) });

async function writeOrganisation(tx: Change, row: ImportRow, state: ImportState, now: number): Promise<number> {
  const { organisation_code: code, organisation_name: name } = row;
  const known = state.organisations.get(code);
  if (!known) {
    const id = await addOrganisation(tx, { code, name, type: 'school', provisioning: 'none', now });
    await append(tx, { at: now, kind: 'organisation-added', organisation: id, data: { code }, text: { organisation: name } });
    return id;
  }
  if (name !== '' && name !== known.name) {
    await renameOrganisation(tx, known.id, name);
    await append(tx, {
      at: now,
      kind: 'organisation-changed',
      organisation: known.id,
      data: { code },
      text: { organisation: name, before: known.name },
    });
  }
  return known.id;
}

async function writePerson(tx: Change, row: ImportRow, now: number): Promise<number> {
  const { provider, subject } = subjectOf(row);
  const person = await addPerson(tx, {
    sourceId: row.source_id,
    firstName: row.first_name,
    lastName: row.last_name,
    email: row.email || null,
    phone: row.phone || null,
    now,
  });
  await addIdentity(tx, { person, kind: provider === 'local' ? 'registered' : 'education', subject, now });
  await append(tx, { at: now, kind: 'person-imported', person, text: named(row) });
  return person;
}

const detailNames = ['first name', 'last name', 'email', 'phone', 'user ID'];

async function writeChanges(tx: Change, row: ImportRow, known: KnownPerson, changes: string[], now: number): Promise<number> {
  const person = known.row.id;
  const details = changes.filter(change => detailNames.includes(change));
  if (details.length === 0) return person;
  await changeDetails(tx, person, {
    firstName: row.first_name,
    lastName: row.last_name,
    email: row.email || null,
    phone: row.phone || null,
  });
  if (details.includes('user ID')) {
    const { provider, subject } = subjectOf(row);
    if (known.subjects.has(provider)) await changeSubject(tx, person, provider, subject);
    else await addIdentity(tx, { person, kind: provider === 'local' ? 'registered' : 'education', subject, now });
  }
  // A link in a mailbox the person no longer has must not open their account.
  if (details.includes('email')) await cancelLinks(tx, { person, now });
  await append(tx, { at: now, kind: 'person-changed', person, data: { changes: details }, text: named(row) });
  return person;
}
