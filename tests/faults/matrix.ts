import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** What can break, and what must then be seen. A test that shows it has `[fault N]` in its title; `reason` says why none does. */
export type Fault = { fault: number; what: string; expected: string; reason?: string };

const root = fileURLToPath(new URL('../..', import.meta.url));

export const faults = JSON.parse(readFileSync(`${root}/tests/faults/matrix.json`, 'utf8')) as Fault[];

/** The numbers of faults that a title, or a whole file of titles, speaks of. */
export const faultsIn = (text: string): number[] => [...text.matchAll(/\[fault (\d+)\]/g)].map(([, number]) => Number(number));

/** Every test file that shows a fault, with the numbers in its titles. */
export function filesWithFaults(): Map<string, number[]> {
  const files = globSync('tests/**/*.test.ts', { cwd: root }).sort();
  const told = files.map(file => [file, faultsIn(readFileSync(`${root}/${file}`, 'utf8'))] as const);
  return new Map(told.filter(([, numbers]) => numbers.length > 0).map(([file, numbers]) => [file, [...numbers]]));
}
