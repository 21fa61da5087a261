import type { z } from 'zod';

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
