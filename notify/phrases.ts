import type { z } from 'zod';
import { address, type Block, heading, type Letterhead, paragraph } from './letter.ts';
import type { author } from './message-data.ts';

/** The person and their organisation, or the council when nobody is named. */
export function sayAuthor(by: z.output<typeof author>, letterhead: Letterhead): string {
  return by === null ? letterhead.brand.council : `${by.name} (${by.organisation})`;
}

/** Whom to ask: the organisation's administrators by name, and the council. */
export function unexpected(organisation: string | null, administrators: readonly string[], letterhead: Letterhead): readonly Block[] {
  const title = heading('If you did not expect this');
  const council = `Email ${letterhead.brand.council} at ${letterhead.brand.accountsEmail}.`;
  if (organisation === null || administrators.length === 0) return [title, paragraph(council)];
  return [
    title,
    paragraph(`Ask an Organisation Administrator at ${organisation}:`),
    { kind: 'list', items: administrators },
    paragraph(`Or email ${letterhead.brand.council} at ${letterhead.brand.accountsEmail}.`),
  ];
}

/** The sign-in address in full: people are taught not to press buttons in messages they did not expect. */
export function whereToSignIn(letterhead: Letterhead): Block {
  return address(`Sign in to ${letterhead.brand.productName}:`, letterhead.signInAddress);
}
