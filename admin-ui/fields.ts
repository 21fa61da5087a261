import { z } from 'zod';

const longest = 500;

/** A field that a form may send once; sent twice, the first counts, and missing is empty. Never throws. */
export const field = z.preprocess(value => (Array.isArray(value) ? value[0] : value), z.string().max(longest).catch(''));

/** A field that a form sends once per ticked box. Never throws. */
export const ticks = z.preprocess(
  value => (value === undefined ? [] : Array.isArray(value) ? value : [value]),
  z.array(z.string().max(100)).max(200).catch([]),
);

/** One field of a body whose names are not all known beforehand; empty when it is missing. */
export function fieldOf(body: unknown, name: string): string {
  if (typeof body !== 'object' || body === null || !Object.hasOwn(body, name)) return '';
  return field.parse((body as Record<string, unknown>)[name]);
}
