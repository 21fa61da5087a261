import { append } from './activity.ts';
import type { Change, Store } from './database.ts';
import { addIdentity, changeSubject } from './identities.ts';
import { judgeRow, nothingSeen, type Seen } from './import-judgement.ts';
import { type ImportResult, type ImportRow, subjectOf, trimRow } from './import-rows.ts';
import { type ImportState, type KnownPerson, readImportState } from './import-state.ts';
import { addLink, cancelLinks } from './links.ts';
import { addMembership, setJobRole } from './memberships.ts';
import { addOrganisation, renameOrganisation } from './organisations.ts';
import { enqueue } from './outbox.ts';
import { addPerson, changeDetails, fullName } from './people.ts';
import { appointAdministrator } from './rules.ts';
import type { Reader } from './tables.ts';

/** Rows of one transaction: few enough that nobody else waits long for their change. */
const batchSize = 200;

export type Importing = {
  now: number;
  /** The number of the first row: 2 when the file has a header that people count. Left out: 1. */
  firstRow?: number;
  /**
   * The welcome of an administrator without a password carries a link: its seal, its address and how long it lives. The address is
   * null where no e-mail goes out: a link that waits for a mail server may be dead when it is read, so the caller hands one over.
   */
  sealKey: Uint8Array;
  linkAddress: ((token: string) => string) | null;
  invitationMs: number;
};

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
  const seen = nothingSeen();
  const results: ImportResult[] = [];
  for (let start = 0; start < rows.length; start += batchSize) {
    const batch = plan.slice(start, start + batchSize).map(planned => ({ planned, row: trimRow(rows[planned.row - firstRow]!) }));
    results.push(...(await store.change(tx => applyBatch(tx, batch, seen, importing))));
  }
  return results;
}

const isWritten = ({ outcome }: ImportResult) => outcome === 'new' || outcome === 'changed';

async function applyBatch(tx: Change, batch: { planned: ImportResult; row: ImportRow }[], seen: Seen, importing: Importing) {
  const results: ImportResult[] = [];
  for (const { planned, row } of batch) {
    // What the dry run left to a human is not written because an earlier row of the file has changed the picture.
    if (planned.outcome === 'conflict' || planned.outcome === 'error') {
      results.push(planned);
      continue;
    }
    const state = await readImportState(tx, [row], importing.now);
    const result = judgeRow(row, planned.row, state, seen);
    if (isWritten(result)) await write(tx, row, result, state, importing);
    results.push(result);
  }
  return results;
}

async function write(tx: Change, row: ImportRow, result: ImportResult, state: ImportState, importing: Importing): Promise<void> {
  const { now } = importing;
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
  if (row.email !== '') await welcome(tx, row, { organisation, person, activity, hasPassword }, importing);
}

const nameOf = (row: ImportRow): string => fullName({ first_name: row.first_name, last_name: row.last_name });
const named = (row: ImportRow) => ({ person: nameOf(row) });

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

type Appointed = { organisation: number; person: number; activity: number; hasPassword: boolean };

async function welcome(
  tx: Change,
  row: ImportRow,
  appointed: Appointed,
  { now, sealKey, linkAddress, invitationMs }: Importing,
): Promise<void> {
  const { organisation, person, activity, hasPassword } = appointed;
  const { name } = await tx.selectFrom('organisations').select('name').where('id', '=', organisation).executeTakeFirstOrThrow();
  const message = { channel: 'email', recipient: row.email, template: 'administrator-welcome', person, activity, now } as const;
  if (subjectOf(row).provider === 'directory' || hasPassword || linkAddress === null) {
    await enqueue(tx, { ...message, data: { organisation: name, by: null, at: now, linkExpiresAt: null } });
    return;
  }
  const expiresAt = now + invitationMs;
  const token = await addLink(tx, { person, purpose: 'invitation', expiresAt, now });
  await append(tx, { at: now, kind: 'link-made', organisation, person, data: { purpose: 'invitation' } });
  const secrets = { key: sealKey, values: { link: linkAddress(token) } };
  await enqueue(tx, { ...message, secrets, expiresAt, data: { organisation: name, by: null, at: now, linkExpiresAt: expiresAt } });
}
