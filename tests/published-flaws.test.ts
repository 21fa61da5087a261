import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { defences, nothingToTakeOut } from './defences/all.ts';

/** What broke elsewhere. A test that shows a row's safe behaviour has `#` and the number in its title; `reason` says why there is nothing to test. */
type Row = { row: number; ids: string[]; owed: string; reason?: string };

const root = fileURLToPath(new URL('..', import.meta.url));
const textOf = (file: string) => readFileSync(`${root}/${file}`, 'utf8');
const rows = JSON.parse(textOf('tests/attacks/published-flaws.json')) as Row[];
const corpora = globSync('tests/attacks/*.json', { cwd: root }).filter(file => basename(file) !== 'published-flaws.json');
const tests = globSync('tests/**/*.test.ts', { cwd: root });

/** The numbers in titles: in those a test file writes itself, and in the corpora that it makes titles of. */
function numbersIn(file: string): number[] {
  const own = textOf(file).replace(/^\s*(?:\/\/|\*|\/\*).*$/gm, '');
  const read = corpora.filter(corpus => new RegExp(`\\b${basename(corpus, '.json')}(?:\\.json)?'`).test(own)).map(textOf);
  return [own, ...read].flatMap(text => [...text.matchAll(/ #(\d{1,3})(?!\w)/g)].map(([, number]) => Number(number)));
}

const tested = new Set(tests.flatMap(numbersIn));
const numbersOf = (some: readonly Row[]) => some.map(({ row }) => row);

describe('of the published flaws', () => {
  test('every one has its number, its names and what is owed', () => {
    expect(numbersOf(rows)).toEqual(rows.map((_row, index) => index + 1));
    expect(rows.length).toBeGreaterThanOrEqual(105);
    expect(rows.filter(({ ids, owed }) => ids.length === 0 || owed.length < 10)).toEqual([]);
  });

  test('every one has a test or a reason', () => {
    expect(rows.filter(({ row, reason = '' }) => !tested.has(row) && reason.length < 20)).toEqual([]);
  });

  test('none has both', () => {
    expect(numbersOf(rows.filter(({ row, reason }) => tested.has(row) && reason !== undefined))).toEqual([]);
  });

  test('no test carries a number that none has', () => {
    expect([...tested].filter(number => !numbersOf(rows).includes(number))).toEqual([]);
  });

  test('every corpus is read by a test', () => {
    const sources = tests.map(textOf).join('');
    expect(corpora.filter(corpus => !new RegExp(`\\b${basename(corpus, '.json')}(?:\\.json)?'`).test(sources))).toEqual([]);
  });
});

describe('the defences against them', () => {
  test('are named for every one that has a test', () => {
    const named = [...defences.flatMap(defence => defence.rows), ...nothingToTakeOut.map(({ row }) => row)];
    expect([...new Set(named)].sort((one, other) => one - other)).toEqual([...tested].sort((one, other) => one - other));
    expect(
      nothingToTakeOut.filter(({ row, reason }) => reason.length < 20 || defences.some(defence => defence.rows.includes(row))),
    ).toEqual([]);
  });

  test.each(defences)('$rows: $out', ({ rows: numbers, edits, tests: files }) => {
    for (const { file, take, put } of edits) {
      expect(textOf(file).split(take).length - 1, `${file} has it once: ${take}`).toBe(1);
      expect(put).not.toBe(take);
    }
    const carried = files.flatMap(numbersIn);
    expect(numbers.filter(number => !carried.includes(number))).toEqual([]);
  });
});
