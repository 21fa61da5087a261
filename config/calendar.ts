/** Where the council is: days begin and end there, and times are said as people there say them. Instants are milliseconds since the epoch. */
export const zone = 'Europe/London';

const calendar = new Intl.DateTimeFormat('en-GB', { timeZone: zone, day: 'numeric', month: 'long', year: 'numeric' });
const clock = new Intl.DateTimeFormat('en-GB', { timeZone: zone, hour: 'numeric', minute: '2-digit', hourCycle: 'h12' });

/** The instant a day begins, given as 2019-03-04; summer time is observed. */
export function startOf(day: string | Temporal.PlainDate): number {
  return Temporal.PlainDate.from(day).toZonedDateTime(zone).epochMilliseconds;
}

/** The instant of a time there, given as 2019-03-04 07:30; null if there is no such time. */
export function instantOf(time: string): number | null {
  if (!/^\d{4}-\d{2}-\d{2} \d{2}:\d{2}$/.test(time)) return null;
  try {
    return Temporal.PlainDateTime.from(time.replace(' ', 'T'), { overflow: 'reject' }).toZonedDateTime(zone).epochMilliseconds;
  } catch {
    return null;
  }
}

/** The day of an instant as people write it: "4 March 2019". */
export function sayDay(at: number): string {
  return calendar.format(at);
}

/** A day such as 2026-07-31 as people write it: "31 July 2026". */
export function sayIsoDay(day: string): string {
  return sayDay(startOf(day));
}

/** The time of an instant as people write it: "9:32am". */
export function sayTime(at: number): string {
  const parts = Object.fromEntries(clock.formatToParts(at).map(part => [part.type, part.value]));
  return `${parts.hour}:${parts.minute}${parts.dayPeriod?.replace(/[^a-z]/gi, '').toLowerCase()}`;
}

/** An instant as people write it: "4 June 2026 at 9:32am". */
export function sayInstant(at: number): string {
  return `${sayDay(at)} at ${sayTime(at)}`;
}
