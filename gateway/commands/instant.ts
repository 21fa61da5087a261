import { UsageFault } from './command.ts';

/** An instant given as in ISO 8601, in milliseconds; undefined if none was given. */
export function readInstant(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  try {
    return Temporal.Instant.from(text).epochMilliseconds;
  } catch {
    throw new UsageFault(`"${text}" is not an instant such as 2026-09-01T09:00:00Z.`);
  }
}
