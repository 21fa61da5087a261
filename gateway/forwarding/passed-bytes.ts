import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * What a body passes through is garbage at once, but V8 looks at so little of it (a few hundred bytes for each 64 KiB outside its own
 * heap) that a single download would let the process grow by as much as V8 tolerates, some 80 MB, and never shrink again. So it is told
 * to look, at the young objects alone, which takes a millisecond.
 */
const EVERY_BYTES = 8 * 1024 * 1024;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as (options: { type: 'minor' }) => void;

let passed = 0;

export function bytesPassed(count: number): void {
  passed += count;
  if (passed < EVERY_BYTES) return;
  passed = 0;
  collect({ type: 'minor' });
}
