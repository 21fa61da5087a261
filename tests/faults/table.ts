import type { Reporter, TestModule } from 'vitest/node';
import { long } from '../long.ts';
import { type Fault, faults, faultsIn } from './matrix.ts';

/** What a run says of one test; `noted` is what it annotated as seen: a figure, mostly. */
export type Seen = { title: string; state: string; noted: string[] };

/** A row for each fault: number, fault, expected, seen, and what was noted. */
export function tableOf(matrix: readonly Fault[], tests: readonly Seen[]): string[][] {
  return matrix.map(({ fault, what, expected, reason }) => {
    const own = tests.filter(({ title, state }) => state !== 'skipped' && faultsIn(title).includes(fault));
    const noted = [...new Set(own.flatMap(test => test.noted))];
    return [String(fault), what, expected, reason === undefined ? sayOf(own) : `not tested: ${reason}`, ...noted];
  });
}

function sayOf(own: readonly Seen[]): string {
  const failed = own.filter(({ state }) => state !== 'passed').map(({ title }) => title.replaceAll(/ *\[fault \d+\]/g, ''));
  if (failed.length > 0) return `FAILED: ${failed.join('; ')}`;
  return own.length === 0 ? 'NOT RUN' : `as expected, in ${own.length} test${own.length === 1 ? '' : 's'}`;
}

/** Prints the table at the end of `npm run test:faults`. */
export function printFaults(): Reporter {
  return {
    onTestRunEnd(modules: readonly TestModule[]) {
      if (!long) return;
      const tests = modules.flatMap(module => [...module.children.allTests()]);
      const seen = tests.map(test => ({
        title: test.fullName,
        state: test.result().state,
        noted: test.annotations().flatMap(({ type, message }) => (type === 'seen' ? [message] : [])),
      }));
      console.log('\nFault → expected → seen');
      for (const [fault, what, expected, ...said] of tableOf(faults, seen))
        console.log(`${fault?.padStart(2)}  ${what}\n    expected: ${expected}\n    seen:     ${said.join('\n              ')}`);
    },
  };
}
