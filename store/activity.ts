import { hash, randomBytes } from 'node:crypto';
import type { Change } from './database.ts';
import { insertRows } from './many.ts';
import type { Reader, Tables } from './tables.ts';

export const activityKinds = [
  'person-added',
  'person-imported',
  'person-changed',
  'person-deactivated',
  'membership-added',
  'membership-removed',
  'membership-restored',
  'access-changed',
  'administrator-appointed',
  'administrator-dismissed',
  'subscription-added',
  'subscription-removed',
  'council-role-given',
  'council-role-taken',
  'blocked',
  'unblocked',
  'security-phone-set',
  'security-phone-deleted',
  'password-set',
  'link-made',
  'session-started',
  'session-ended',
  'session-organisation-changed',
  'organisation-added',
  'organisation-changed',
  'organisation-closed',
  'restored',
] as const;
export type ActivityKind = (typeof activityKinds)[number];

export type NewEntry = {
  at: number;
  kind: ActivityKind;
  actor?: number | null;
  organisation?: number | null;
  person?: number | null;
  session?: number | null;
  service?: string | null;
  /** Ids and facts that stay for ever; no names, no addresses. */
  data?: Record<string, unknown>;
  /** Names as they were: kept apart, so that they can be erased without breaking the chain. */
  text?: Record<string, string>;
};
export type Entry = {
  id: number;
  at: number;
  kind: ActivityKind;
  actor: number | null;
  organisation: number | null;
  person: number | null;
  session: number | null;
  service: string | null;
  data: Record<string, unknown>;
};
/** As much of an entry as says what it makes doubtful. */
export type Heard = Pick<Entry, 'id' | 'kind' | 'organisation' | 'person'>;
type Row = Tables['activity'];

const sha256 = (text: string): string => hash('sha256', text);
const saltBytes = 16;
const beginning = sha256('services-portal activity');

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value ?? null);
  const parts = Object.entries(value)
    .filter(([, part]) => part !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${parts.map(([key, part]) => `${JSON.stringify(key)}:${canonical(part)}`).join(',')}}`;
}

const textHash = (salt: string, text: string): string => sha256(`${salt}\n${text}`);

function chainHash(before: string, row: Omit<Row, 'chain_hash'>): string {
  const { id, at, kind, actor_id, organisation_id, person_id, session_id, service, data, text_hash } = row;
  return sha256(before + canonical([id, at, kind, actor_id, organisation_id, person_id, session_id, service, data, text_hash]));
}

function rowOf(entry: NewEntry, id: number, before: string, hashOfText: string): Row {
  const row = {
    id,
    at: entry.at,
    kind: entry.kind,
    actor_id: entry.actor ?? null,
    organisation_id: entry.organisation ?? null,
    person_id: entry.person ?? null,
    session_id: entry.session ?? null,
    service: entry.service ?? null,
    data: canonical(entry.data ?? {}),
    text_hash: hashOfText,
  };
  return { ...row, chain_hash: chainHash(before, row) };
}

const appended = new WeakMap<Change, Row[]>();

/** What a change has written so far, in order: whoever makes the change can tell of it once it is committed. */
export const appendedIn = (tx: Change): Entry[] => (appended.get(tx) ?? []).map(asEntry);

/**
 * Writes one entry of the log and returns its id. Only inside `change`: its lock is what makes the ids one gapless row, each
 * visible before the next is given, so a reader that asks "what came after the last one I saw" can never miss one.
 */
export async function append(tx: Change, entry: NewEntry): Promise<number> {
  const [id = 0] = await appendAll(tx, [entry]);
  return id;
}

/** Writes entries in this order, in as few statements as there can be, and returns their ids. */
export async function appendAll(tx: Change, entries: readonly NewEntry[]): Promise<number[]> {
  if (!tx.isTransaction) throw new Error('Activity is written inside a change only.');
  if (entries.length === 0) return [];
  const last = await tx.selectFrom('activity').select(['id', 'chain_hash']).orderBy('id', 'desc').limit(1).executeTakeFirst();
  const rows: Row[] = [];
  const texts: Tables['activity_text'][] = [];
  const salts = randomBytes(saltBytes * entries.length);
  let [id, before] = [last?.id ?? 0, last?.chain_hash ?? beginning];
  for (const [index, entry] of entries.entries()) {
    id += 1;
    const salt = salts.toString('hex', index * saltBytes, (index + 1) * saltBytes);
    const text = entry.text ? canonical(entry.text) : null;
    const row = rowOf(entry, id, before, text === null ? '' : textHash(salt, text));
    rows.push(row);
    if (text !== null) texts.push({ activity_id: id, salt, text });
    before = row.chain_hash;
  }
  await insertRows(tx, 'activity', rows);
  await insertRows(tx, 'activity_text', texts);
  appended.set(tx, [...(appended.get(tx) ?? []), ...rows]);
  return rows.map(row => row.id);
}

function asEntry(row: Row): Entry {
  return {
    id: row.id,
    at: row.at,
    kind: row.kind as ActivityKind,
    actor: row.actor_id,
    organisation: row.organisation_id,
    person: row.person_id,
    session: row.session_id,
    service: row.service,
    data: JSON.parse(row.data),
  };
}

/** As much of the entries after that id as says what they make doubtful, in order, `limit` at most: the change feed. */
export function hearAfter(db: Reader, id: number, limit: number): Promise<Heard[]> {
  return db
    .selectFrom('activity')
    .select(['id', 'kind', 'organisation_id as organisation', 'person_id as person'])
    .where('id', '>', id)
    .orderBy('id')
    .limit(limit)
    .$castTo<Heard>()
    .execute();
}

/** The entries after that id, in order, `limit` at most. */
export async function readAfter(db: Reader, id: number, limit: number): Promise<Entry[]> {
  const rows = await db.selectFrom('activity').selectAll().where('id', '>', id).orderBy('id').limit(limit).execute();
  return rows.map(asEntry);
}

/** The id of the newest entry, 0 when there is none. */
export async function latest(db: Reader): Promise<number> {
  const row = await db.selectFrom('activity').select('id').orderBy('id', 'desc').limit(1).executeTakeFirst();
  return row?.id ?? 0;
}

export type ChainCheck = { entries: number; broken: { id: number; what: 'missing' | 'changed' | 'text' } | null };

/** Goes through the whole log and names the first entry that was changed or taken out. Erased names do not break it. */
export async function verifyChain(db: Reader): Promise<ChainCheck> {
  let before = beginning;
  let entries = 0;
  for (;;) {
    const rows = await page(db, entries);
    for (const { salt, text, ...row } of rows) {
      const fault = faultOf(row, entries + 1, before, salt, text);
      if (fault) return { entries, broken: { id: entries + 1, what: fault } };
      before = row.chain_hash;
      entries += 1;
    }
    if (rows.length === 0) return { entries, broken: null };
  }
}

function page(db: Reader, after: number) {
  return db
    .selectFrom('activity')
    .leftJoin('activity_text', 'activity_text.activity_id', 'activity.id')
    .selectAll('activity')
    .select(['activity_text.salt', 'activity_text.text'])
    .where('activity.id', '>', after)
    .orderBy('activity.id')
    .limit(500)
    .execute();
}

function faultOf(row: Row, expected: number, before: string, salt: string | null, text: string | null) {
  if (row.id !== expected) return 'missing';
  if (row.chain_hash !== chainHash(before, row)) return 'changed';
  if (text !== null && row.text_hash !== textHash(salt ?? '', text)) return 'text';
  return null;
}

/** Erases the names an entry was written with; what happened, when and the ids stay. */
export async function eraseText(tx: Change, ids: readonly number[]): Promise<void> {
  if (ids.length > 0)
    await tx
      .deleteFrom('activity_text')
      .where('activity_id', 'in', [...ids])
      .execute();
}
