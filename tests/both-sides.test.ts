import { expect, test } from 'vitest';
import { faultsOf } from '#tests/both-sides/count.ts';

const both = (name: string) => [
  { side: 'SQLite' as const, name, skipped: false },
  { side: 'PostgreSQL' as const, name, skipped: false },
];

test('a suite that runs whole on both sides has no fault', () => {
  expect(faultsOf([...both('one'), ...both('two')])).toEqual([]);
  expect(faultsOf([])).toEqual([]);
});

test('a test that only one side has, and one that is skipped, are named', () => {
  const [sqlite, postgres] = [both('left')[0]!, both('right')[1]!];
  const [asked, skipped] = [both('idle')[0]!, { ...both('idle')[1]!, skipped: true }];
  expect(faultsOf([...both('one'), sqlite, postgres, asked, skipped])).toEqual([
    'skipped on PostgreSQL: idle',
    'not asked of PostgreSQL: left',
    'not asked of SQLite: right',
  ]);
});

test('names that come twice are counted twice', () => {
  expect(faultsOf([...both('one'), both('one')[0]!])).toEqual(['SQLite has 2 tests, PostgreSQL 1']);
});
