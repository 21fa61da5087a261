import type { z } from 'zod';
import { accessChangedLetter, administratorWelcomeLetter, removedLetter } from './access-letters.ts';
import {
  invitationLetter,
  passwordChangedLetter,
  passwordResetLetter,
  securityPhoneDeletedLetter,
  securityPhoneSetLetter,
} from './account-letters.ts';
import { frameLetter } from './email-frame.ts';
import { genericLetter } from './generic-letter.ts';
import type { Letter, Letterhead } from './letter.ts';
import * as data from './message-data.ts';
import { securityCodeText } from './security-code.ts';

export type EmailContent = { subject: string; text: string; html: string };

/** The data each template is queued with. Codes and links are never in here: they travel sealed. */
export type MessageData = {
  'access-changed': z.input<typeof data.accessChanged>;
  'administrator-welcome': z.input<typeof data.administratorWelcome>;
  'removed-from-organisation': z.input<typeof data.removedFromOrganisation>;
  'security-phone-set': z.input<typeof data.securityPhoneSet>;
  'security-phone-deleted': z.input<typeof data.securityPhoneDeleted>;
  invitation: z.input<typeof data.invitation>;
  'password-reset': z.input<typeof data.passwordReset>;
  'password-changed': z.input<typeof data.passwordChanged>;
  'security-code': z.input<typeof data.securityCode>;
};
export type TemplateName = keyof MessageData;

type Compose = (data: unknown, letterhead: Letterhead, secret: string | null) => Letter;

/** A message about a change, for which a council may choose the generic wording. */
function change<Schema extends z.ZodType>(schema: Schema, write: (data: z.output<Schema>, letterhead: Letterhead) => Letter): Compose {
  return (raw, letterhead) => {
    const known = schema.parse(raw);
    return letterhead.wording === 'generic' ? genericLetter(letterhead) : write(known, letterhead);
  };
}

/** A message that carries a link which works once; it stays specific, because without the link it is useless. */
function withLink<Schema extends z.ZodType>(
  schema: Schema,
  write: (data: z.output<Schema>, letterhead: Letterhead, link: string) => Letter,
): Compose {
  return (raw, letterhead, secret) => write(schema.parse(raw), letterhead, ownLink(secret, letterhead));
}

/** Refuses a link that leads anywhere but the portal: one made from a forged Host header would hand the secret to its forger. */
function ownLink(secret: string | null, letterhead: Letterhead): string {
  if (secret === null) throw new Error('the link of this message is gone');
  if (URL.parse(secret)?.origin !== letterhead.portal.origin) throw new Error('the link of this message does not lead to the portal');
  return secret;
}

/** New administrators who already have a password get no link; only the others' message must stay specific. */
const welcome: Compose = (raw, letterhead, secret) => {
  const hasLink = data.administratorWelcome.parse(raw).linkExpiresAt !== null;
  const compose = hasLink
    ? withLink(data.administratorWelcome, administratorWelcomeLetter)
    : change(data.administratorWelcome, (known, head) => administratorWelcomeLetter(known, head, null));
  return compose(raw, letterhead, secret);
};

const letters: Record<Exclude<TemplateName, 'security-code'>, Compose> = {
  'access-changed': change(data.accessChanged, accessChangedLetter),
  'administrator-welcome': welcome,
  'removed-from-organisation': change(data.removedFromOrganisation, removedLetter),
  'security-phone-set': change(data.securityPhoneSet, securityPhoneSetLetter),
  'security-phone-deleted': change(data.securityPhoneDeleted, securityPhoneDeletedLetter),
  invitation: withLink(data.invitation, invitationLetter),
  'password-reset': withLink(data.passwordReset, passwordResetLetter),
  // A password that somebody else changed must be noticed, so this one is specific in both wordings.
  'password-changed': (raw, letterhead) => passwordChangedLetter(data.passwordChanged.parse(raw), letterhead),
};

function isEmailTemplate(template: string): template is keyof typeof letters {
  return Object.hasOwn(letters, template);
}

/**
 * Builds the e-mail of an outbox row. `at` is when the row was written, `secret` the opened link.
 * Throws when the template is unknown, the data do not fit it, or its link is gone or leads elsewhere.
 */
export function composeEmail(
  row: { template: string; data: unknown; at: number; secret: string | null },
  letterhead: Letterhead,
): EmailContent {
  if (!isEmailTemplate(row.template)) throw new Error(`no e-mail is called ${row.template}`);
  const letter = letters[row.template](row.data, letterhead, row.secret);
  return { subject: letter.subject, ...frameLetter(letter, letterhead, row.at) };
}

/** Builds the text message of an outbox row. Throws when the template is unknown or its code is gone. */
export function composeText(row: { template: string; secret: string | null }, letterhead: Letterhead): string {
  if (row.template !== 'security-code') throw new Error(`no text message is called ${row.template}`);
  if (row.secret === null) throw new Error('the code of this message is gone');
  return securityCodeText(row.secret, letterhead);
}
