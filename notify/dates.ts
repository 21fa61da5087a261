const day = new Intl.DateTimeFormat('en-GB', { timeZone: 'Europe/London', day: 'numeric', month: 'long', year: 'numeric' });
const clock = new Intl.DateTimeFormat('en-GB', { timeZone: 'Europe/London', hour: 'numeric', minute: '2-digit', hourCycle: 'h12' });

/** An instant in milliseconds as people write it: "4 June 2026 at 9:32am", in Europe/London. */
export function sayInstant(at: number): string {
  const parts = Object.fromEntries(clock.formatToParts(at).map(part => [part.type, part.value]));
  return `${day.format(at)} at ${parts.hour}:${parts.minute}${parts.dayPeriod?.toLowerCase()}`;
}

/** A calendar day such as 2026-07-31 as people write it: "31 July 2026". */
export function sayDay(isoDay: string): string {
  // Noon is the same calendar day in London all year round; midnight is not.
  return day.format(new Date(`${isoDay}T12:00:00Z`));
}
