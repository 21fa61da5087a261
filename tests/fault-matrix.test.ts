import { expect, test } from 'vitest';
import { type Fault, faults, filesWithFaults } from './faults/matrix.ts';
import { tableOf } from './faults/table.ts';

const tested = new Set([...filesWithFaults().values()].flat());
const numbersOf = (some: readonly Fault[]) => some.map(({ fault }) => fault);

test('every fault of the matrix has its number and what is expected', () => {
  expect(numbersOf(faults)).toEqual(Array.from({ length: 28 }, (_, index) => index + 1));
  expect(faults.filter(({ what, expected }) => what.length < 10 || expected.length < 10)).toEqual([]);
});

test('every fault has a test or a reason, and none has both', () => {
  expect(numbersOf(faults.filter(({ fault, reason = '' }) => !tested.has(fault) && reason.length < 20))).toEqual([]);
  expect(numbersOf(faults.filter(({ fault, reason }) => tested.has(fault) && reason !== undefined))).toEqual([]);
});

test('no test speaks of a fault that the matrix does not have', () => {
  expect([...tested].filter(number => !numbersOf(faults).includes(number))).toEqual([]);
});

test('the table says what was seen of each fault: how many tests, which of them failed, and what they noted', () => {
  const mark = (fault: number) => `[fault ${fault}]`;
  const some: Fault[] = [
    { fault: 1, what: 'one', expected: 'well' },
    { fault: 2, what: 'two', expected: 'well' },
    { fault: 3, what: 'three', expected: 'well', reason: 'cannot be' },
  ];
  const seen = [
    { title: `a ${mark(1)}`, state: 'passed', noted: ['7 ms'] },
    { title: `b ${mark(1)} ${mark(2)}`, state: 'failed', noted: [] },
    { title: 'c', state: 'failed', noted: [] },
  ];
  expect(tableOf(some, seen)).toEqual([
    ['1', 'one', 'well', 'FAILED: b', '7 ms'],
    ['2', 'two', 'well', 'FAILED: b'],
    ['3', 'three', 'well', 'not tested: cannot be'],
  ]);
  expect(tableOf(some, [{ title: `b ${mark(2)}`, state: 'skipped', noted: [] }]).map(row => row[3])).toEqual([
    'NOT RUN',
    'NOT RUN',
    'not tested: cannot be',
  ]);
  expect(tableOf(some, seen.slice(0, 1))[0]).toEqual(['1', 'one', 'well', 'as expected, in 1 test', '7 ms']);
});
