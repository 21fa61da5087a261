// One statement for each number of rows is prepared and kept, and the larger it is the more it weighs.
const longestChunk = 50;

/** Rows in portions for one statement each; none for no rows, for which there is no statement. */
export function* chunksOf<T>(rows: readonly T[]): Generator<T[]> {
  for (let start = 0; start < rows.length; start += longestChunk) yield rows.slice(start, start + longestChunk);
}
