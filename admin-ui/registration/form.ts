import { z } from 'zod';
import { errorsOf, type FieldError, field } from '#views/forms.ts';
import { isSharedAddress } from './shared-address.ts';

const longestName = 100;
const longestEmail = 254;

/** Marks that reverse what is read after them could make one name look like another. */
const reversing = /[\u202a-\u202e\u2066-\u2069]/gu;

function name(what: string) {
  return field
    .transform(text =>
      text
        .replace(reversing, '')
        .replace(/[\s\p{Cc}]+/gu, ' ')
        .trim(),
    )
    .pipe(z.string().min(1, `Enter a ${what}`).max(longestName, `The ${what} must be ${longestName} characters or fewer`));
}

const email = field
  .transform(text => text.trim())
  .pipe(
    z
      .email('Enter an email address in the correct format, like name@example.com')
      .max(longestEmail, 'Enter an email address in the correct format, like name@example.com')
      .refine(address => !isSharedAddress(address), 'Enter a work email address for one person, not a shared address like office@'),
  );

const phone = field
  .transform(text => text.trim())
  .refine(text => text === '' || (/^\+?[\d\s().-]{6,30}$/.test(text) && /[1-9]/.test(text)), 'Enter a phone number, like 01632 960 001')
  .transform(text => (text === '' ? null : text));

const details = z.object({ firstName: name('first name'), lastName: name('last name'), email, phone });
const typed = z.object({ firstName: field, lastName: field, email: field, phone: field });

export type Details = z.output<typeof details>;
export type Typed = z.output<typeof typed>;
export const nothingTyped: Typed = { firstName: '', lastName: '', email: '', phone: '' };

/** Reads the form: the details when all are right, otherwise the errors; and what was typed, to show it again. */
export function readDetails(body: unknown): { typed: Typed; details: Details } | { typed: Typed; errors: FieldError[] } {
  const sent = typed.parse(body ?? {});
  const read = details.safeParse(sent);
  return read.success ? { typed: sent, details: read.data } : { typed: sent, errors: errorsOf(read.error) };
}
