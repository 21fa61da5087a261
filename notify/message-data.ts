import { z } from 'zod';

/** A name that somebody typed: one line, so that it can never pretend to be a paragraph of the message. */
const words = z.string().transform(text => text.replace(/[\s\p{Cc}]+/gu, ' ').trim());
/** Milliseconds since the epoch. */
const instant = z.int();
/** Who made the change; null is the council itself (an import, the command line). */
export const author = z.object({ name: words, organisation: words }).nullable();
/** A service by its name, with the last day of the right as 2026-07-31 when it ends. */
export const right = z.object({ name: words, endsOn: z.iso.date().nullable() });

export const accessChanged = z.object({
  organisation: words,
  by: author,
  at: instant,
  added: z.array(right).default([]),
  removed: z.array(words).default([]),
  endDateChanged: z.array(right).default([]),
  now: z.array(right),
  administrators: z.array(words),
});

export const administratorWelcome = z.object({
  organisation: words,
  /** Further organisations that the person administers from the same moment on. */
  alsoFor: z.array(words).default([]),
  by: author,
  at: instant,
  administrators: z.array(words).default([]),
  /** When the sealed link stops working; left out for people who have a password already. */
  linkExpiresAt: instant.nullable().default(null),
});

export const removedFromOrganisation = z.object({ organisation: words, by: author, at: instant, administrators: z.array(words) });

/** `phoneEnding` is the last digits of the receiver's own number; `organisation` is where they administer. */
export const securityPhoneSet = z.object({
  organisation: words,
  at: instant,
  phoneEnding: words,
  administrators: z.array(words).default([]),
});
export const securityPhoneDeleted = z.object({
  organisation: words,
  by: author,
  at: instant,
  phoneEnding: words,
  administrators: z.array(words).default([]),
});

export const invitation = z.object({ organisation: words.nullable(), by: author, userId: words, linkExpiresAt: instant });
export const passwordReset = z.object({ userId: words, linkExpiresAt: instant });
export const passwordChanged = z.object({ at: instant });
export const securityCode = z.object({});
