import { setTimeout as pause } from 'node:timers/promises';
import type { Change, Store } from './database.ts';
import { judgeRow, nothingSeen, type Seen, signInOf } from './import-judgement.ts';
import { type ImportResult, type ImportRow, trimRow } from './import-rows.ts';
import { readImportState } from './import-state.ts';
import type { Welcomed, Welcoming } from './import-welcome.ts';
import { writeRows } from './import-writing.ts';
import { settleRows } from './many.ts';
import type { Reader } from './tables.ts';

/** Rows of one transaction: few enough that nobody else waits long for their change. */
const batchSize = 200;
/** SQLite gives its lock to whoever asks at the right moment; without a breath a gateway's changes might wait for the whole import. */
const breathMs = 5;
/** Fewer rows change no plan of a query. */
const manyRows = 1_000;

export type ImportProgress = { step: 'checked' | 'written'; rows: number; of: number };

export type Importing = Welcoming & {
  /** The number of the first row: 2 when the file has a header that people count. Left out: 1. */
  firstRow?: number;
  /** Hears after every batch how far it has come. */
  onProgress?(progress: ImportProgress): void;
};

/** What the rows of one import know of each other. */
type Run = Importing & { seen: Seen; welcomed: Welcomed };

type Planning = Pick<Importing, 'now' | 'firstRow' | 'onProgress'>;

/** The dry run: what would become of each row, in order. Writes nothing. */
export async function planImport(db: Reader, rows: readonly ImportRow[], planning: Planning): Promise<ImportResult[]> {
  return (await plan(db, rows, planning)).map(({ planned }) => planned);
}

async function plan(db: Reader, rows: readonly ImportRow[], { now, firstRow = 1, onProgress }: Planning): Promise<Planned[]> {
  const seen = nothingSeen();
  const results: Planned[] = [];
  for (let start = 0; start < rows.length; start += batchSize) {
    const batch = rows.slice(start, start + batchSize).map(trimRow);
    const state = await readImportState(db, batch, now);
    batch.forEach((row, index) => {
      results.push({ row, planned: judgeRow(row, start + index + firstRow, state, seen) });
    });
    onProgress?.({ step: 'checked', rows: results.length, of: rows.length });
  }
  return results;
}

/**
 * Plans the file, then judges every row again under the lock and writes what is neither a conflict nor an error both times.
 * Says what became of each. Batches stand on their own: after a fault in the middle, importing the file again does the rest.
 */
export async function applyImport(store: Store, rows: readonly ImportRow[], importing: Importing): Promise<ImportResult[]> {
  const planned = await plan(store.db, rows, importing);
  const run: Run = { ...importing, seen: nothingSeen(), welcomed: new Map() };
  const results: ImportResult[] = [];
  for (let start = 0; start < rows.length; start += batchSize) {
    const batch = planned.slice(start, start + batchSize);
    if (start > 0) await pause(breathMs);
    results.push(...(await store.change(tx => applyBatch(tx, batch, run))));
    importing.onProgress?.({ step: 'written', rows: results.length, of: rows.length });
  }
  if (rows.length >= manyRows) await settleRows(store.db, ['organisations', 'people', 'identities', 'memberships', 'activity']);
  return results;
}

type Planned = { planned: ImportResult; row: ImportRow };

async function applyBatch(tx: Change, batch: Planned[], run: Run): Promise<ImportResult[]> {
  const results: ImportResult[] = [];
  for (const part of partsOf(batch)) results.push(...(await applyPart(tx, part, run)));
  return results.sort((one, other) => one.row - other.row);
}

/**
 * Divides rows so that within a part each is of another person and another sign-in, since it is judged by what earlier rows wrote of
 * theirs. Rows of one organisation stay in order, as the first of them may be the one that names it.
 */
function partsOf(batch: Planned[]): Planned[][] {
  const parts: Planned[][] = [];
  const lastOf = new Map<string, number>();
  for (const one of batch) {
    const [person, signIn] = [`person ${one.row.source_id}`, `sign-in ${signInOf(one.row)}`];
    const organisation = `organisation ${one.row.organisation_code}`;
    const free = Math.max(lastOf.get(person) ?? -1, lastOf.get(signIn) ?? -1) + 1;
    const part = Math.max(free, lastOf.get(organisation) ?? 0);
    for (const key of [person, signIn, organisation]) lastOf.set(key, part);
    parts[part] ??= [];
    parts[part].push(one);
  }
  return parts;
}

async function applyPart(tx: Change, part: Planned[], run: Run): Promise<ImportResult[]> {
  const state = await readImportState(
    tx,
    part.map(({ row }) => row),
    run.now,
  );
  const judged = part.map(({ planned, row }) => {
    // What the dry run left to a human is not written because an earlier row of the file has changed the picture.
    const forHuman = planned.outcome === 'conflict' || planned.outcome === 'error';
    return { row, result: forHuman ? planned : judgeRow(row, planned.row, state, run.seen) };
  });
  const written = judged.filter(({ result }) => result.outcome === 'new' || result.outcome === 'changed');
  if (written.length > 0) await writeRows(tx, written, state, run);
  return judged.map(({ result }) => result);
}
