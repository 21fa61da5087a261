const calendar = new Intl.DateTimeFormat('en-GB', { timeZone: 'Europe/London', day: 'numeric', month: 'long', year: 'numeric' });
const clock = new Intl.DateTimeFormat('en-GB', { timeZone: 'Europe/London', hour: 'numeric', minute: '2-digit', hourCycle: 'h12' });

/** The day of an instant as people write it, in Europe/London: "4 March 2019". */
export function sayDay(at: number | Date): string {
  return calendar.format(at);
}

/** The time of an instant as people write it, in Europe/London: "9:32am". */
export function sayTime(at: number | Date): string {
  const parts = Object.fromEntries(clock.formatToParts(at).map(part => [part.type, part.value]));
  return `${parts.hour}:${parts.minute}${parts.dayPeriod?.replaceAll(/[^a-z]/gi, '').toLowerCase()}`;
}

/** An instant as people write it, in Europe/London: "4 June 2026 at 9:32am". */
export function sayInstant(at: number | Date): string {
  return `${sayDay(at)} at ${sayTime(at)}`;
}
