import { expect, test } from 'vitest';
import { sayInstant, sayIsoDay, startOf } from '#config/calendar.ts';

test.each([
  [Date.UTC(2026, 5, 4, 8, 32), '4 June 2026 at 9:32am'],
  [Date.UTC(2026, 0, 1, 0, 5), '1 January 2026 at 12:05am'],
  [Date.UTC(2026, 0, 4, 12, 5), '4 January 2026 at 12:05pm'],
  [Date.UTC(2026, 6, 31, 23, 30), '1 August 2026 at 12:30am'],
])('the instant %i is said as "%s"', (at, said) => {
  expect(sayInstant(at)).toBe(said);
});

test.each([
  ['2026-01-01', Date.UTC(2026, 0, 1)],
  ['2026-07-01', Date.UTC(2026, 5, 30, 23)],
  // The day on which the clocks go forward begins before they do.
  ['2026-03-29', Date.UTC(2026, 2, 29)],
])('%s begins at midnight in London', (day, instant) => {
  expect(startOf(day)).toBe(instant);
});

test('a day is said without its year-first form', () => {
  expect(sayIsoDay('2026-03-29')).toBe('29 March 2026');
});
