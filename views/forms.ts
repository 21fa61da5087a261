import { z } from 'zod';

const longest = 500;
const longestTick = 100;
const mostTicks = 200;

/** A field of any length that a form or an address may send once; sent twice, the first counts, and missing is empty. Never throws. */
export const longField = z.preprocess(sent => [sent].flat()[0], z.string().catch(''));

/** A field as people fill it in; one that is longer than anybody types is empty. Never throws. */
export const field = longField.pipe(z.string().max(longest).catch(''));

/** A field that a form sends once per ticked box. Never throws. */
export const ticks = z.preprocess(
  sent => (sent === undefined ? [] : [sent].flat()),
  z.array(z.string().max(longestTick)).max(mostTicks).catch([]),
);

/** One field of a body or a query whose names are not all known beforehand; empty when it is missing. */
export function fieldOf(sent: unknown, name: string, shape: typeof longField | typeof field = field): string {
  if (typeof sent !== 'object' || sent === null || !Object.hasOwn(sent, name)) return '';
  return shape.parse((sent as Record<string, unknown>)[name]);
}

/** One sentence of the error summary, and the id of the field it leads to. */
export type FieldError = { field: string; text: string };

/**
 * Turns what zod found into the errors a page shows: the first of each field, in the order of the schema.
 * The texts are the messages written in the schema.
 */
export function errorsOf(error: z.ZodError): FieldError[] {
  const first = new Map<string, FieldError>();
  for (const issue of error.issues) {
    const field = issue.path.map(String).join('-');
    if (!first.has(field)) first.set(field, { field, text: issue.message });
  }
  return [...first.values()];
}
