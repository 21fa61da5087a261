import { type Figure, type Figures, isMissed, type Result } from './figures.ts';

// Markdown, each cell `median (least–most)`.

type Column<Row> = { head: string; cell(row: Row): string };

function table<Row>([first, ...others]: readonly [Column<Row>, ...Column<Row>[]], rows: readonly Row[]): string {
  const columns = [first, ...others];
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const heads = columns.map(({ head }) => head);
  return [line(heads), line(['---', ...others.map(() => '--:')]), ...rows.map(row => line(columns.map(({ cell }) => cell(row))))].join(
    '\n',
  );
}

/** What every system did. */
export const systemsTable = (figures: readonly Figures[]): string =>
  table<Figures>(
    [
      { head: 'system', cell: row => row.name },
      { head: 'requests/s', cell: row => shown(row.requestsPerSecond) },
      { head: 'p50 ms', cell: row => shown(row.p50) },
      { head: 'p99 ms', cell: row => shown(row.p99) },
      { head: 'CPU ms per 1,000 requests', cell: row => shown(row.cpu) },
      { head: 'memory MiB', cell: row => shown(row.memory) },
    ],
    figures,
  );

/** What was asked and what was seen, in bold where it was missed. */
export const resultsTable = (what: string, results: readonly Result[]): string =>
  table<Result>(
    [
      { head: what, cell: row => row.what },
      { head: 'asked', cell: askedOf },
      { head: 'seen', cell: row => (isMissed(row) ? shown(row.seen).replace(/^\S+/, '**$&**') : shown(row.seen)) },
    ],
    results,
  );

function askedOf({ most, least }: Result): string {
  if (most !== undefined) return `≤ ${most}`;
  return least === undefined ? '' : `≥ ${least}`;
}

function shown(figure: Figure | null): string {
  if (figure === null) return 'not read';
  const show = decimalsFor(figure.median);
  return `${show(figure.median)} (${show(figure.min)}–${show(figure.max)})`;
}

/** Three figures that count, or four, and whole numbers from a hundred on. */
function decimalsFor(median: number): (value: number) => string {
  const size = Math.abs(median);
  if (size >= 100) return value => Math.round(value).toLocaleString('en-GB');
  return value => value.toFixed(size < 10 ? 2 : 1);
}
