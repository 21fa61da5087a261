import { sayDay, startOf, zone } from '#config/calendar.ts';

export const notADate = 'Enter the date access ends, like 31 3 2027';
export const notInTheFuture = 'The date access ends must be in the future';

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const LONGEST = 40;

export type ReadDate = { endsAt: number | null } | { fault: typeof notADate | typeof notInTheFuture };

/**
 * Reads the last day of somebody's access as people write it: 31 3 2027, 31/3/2027, 31 March 2027 or 2027-03-31; nothing means
 * no end. Answers the instant the access is over, which is the midnight after that day in Europe/London.
 */
export function readEndDate(typed: string, now: number): ReadDate {
  const text = typed.trim().toLowerCase();
  if (text === '') return { endsAt: null };
  const day = text.length > LONGEST ? null : dayOf(text);
  if (!day) return { fault: notADate };
  const endsAt = startOf(day.add({ days: 1 }));
  return endsAt > now ? { endsAt } : { fault: notInTheFuture };
}

/** The last day of access as 2027-03-31, from the instant it is over. */
export function lastDay(endsAt: number): string {
  return Temporal.Instant.fromEpochMilliseconds(endsAt - 1)
    .toZonedDateTimeISO(zone)
    .toPlainDate()
    .toString();
}

/** The last day of access as people read it: 31 March 2027. */
export function sayLastDay(endsAt: number): string {
  return sayDay(endsAt - 1);
}

function dayOf(text: string): Temporal.PlainDate | null {
  const iso = /^(\d{4})-(\d{1,2})-(\d{1,2})$/.exec(text);
  if (iso) return plainDate(iso[1], iso[2], iso[3]);
  const british = /^(\d{1,2})(?:st|nd|rd|th)?[\s/.-]+(\d{1,2}|[a-z]{3,9})[\s/.,-]+(\d{4})$/.exec(text);
  return british ? plainDate(british[3], monthOf(british[2] ?? ''), british[1]) : null;
}

function monthOf(text: string): string {
  if (/^\d/.test(text)) return text;
  const full = new Intl.DateTimeFormat('en-GB', { month: 'long', timeZone: 'UTC' });
  const index = months.indexOf(text.slice(0, 3));
  if (index < 0) return '0';
  return full.format(Date.UTC(2000, index)).toLowerCase().startsWith(text) ? String(index + 1) : '0';
}

function plainDate(year?: string, month?: string, day?: string): Temporal.PlainDate | null {
  try {
    return Temporal.PlainDate.from({ year: Number(year), month: Number(month), day: Number(day) }, { overflow: 'reject' });
  } catch {
    return null;
  }
}
