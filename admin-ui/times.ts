const zone = 'Europe/London';
const day = new Intl.DateTimeFormat('en-GB', { timeZone: zone, day: 'numeric', month: 'long', year: 'numeric' });
const clock = new Intl.DateTimeFormat('en-GB', { timeZone: zone, hour: 'numeric', minute: '2-digit', hourCycle: 'h12' });

/** A day as people write it: 4 March 2019. */
export const sayDay = (at: number): string => day.format(at);

/** A time of day as people write it: 3:40pm. */
export function sayClock(at: number): string {
  const parts = Object.fromEntries(clock.formatToParts(at).map(part => [part.type, part.value]));
  return `${parts.hour === '0' ? '12' : parts.hour}:${parts.minute}${(parts.dayPeriod ?? '').toLowerCase()}`;
}
