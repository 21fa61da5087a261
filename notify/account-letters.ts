import type { z } from 'zod';
import { sayInstant } from '#config/calendar.ts';
import { address, heading, type Letter, type Letterhead, paragraph } from './letter.ts';
import type { invitation, passwordChanged, passwordReset, securityPhoneDeleted, securityPhoneSet } from './message-data.ts';
import { sayAuthor, unexpected, whereToSignIn } from './phrases.ts';

export function securityPhoneSetLetter(data: z.output<typeof securityPhoneSet>, letterhead: Letterhead): Letter {
  const subject = `Your security phone number for ${letterhead.brand.productName} was set`;
  return {
    subject,
    heading: subject,
    blocks: [
      paragraph(`You set your security phone number on ${sayInstant(data.at)}. The number ends in ${data.phoneEnding}.`),
      paragraph('We will send a security code to this phone when you open Organisation Admin.'),
      whereToSignIn(letterhead),
      ...unexpected(data.organisation, data.administrators, letterhead),
    ],
  };
}

export function securityPhoneDeletedLetter(data: z.output<typeof securityPhoneDeleted>, letterhead: Letterhead): Letter {
  const subject = `Your security phone number for ${letterhead.brand.productName} was deleted`;
  return {
    subject,
    heading: subject,
    blocks: [
      paragraph(
        `${sayAuthor(data.by, letterhead)} deleted your security phone number ending in ${data.phoneEnding} on ${sayInstant(data.at)}.`,
      ),
      paragraph('The next time you open Organisation Admin, you will be asked for a phone number again.'),
      whereToSignIn(letterhead),
      ...unexpected(data.organisation, data.administrators, letterhead),
    ],
  };
}

export function invitationLetter(data: z.output<typeof invitation>, letterhead: Letterhead, link: string): Letter {
  const subject = `Set up your ${letterhead.brand.productName} account`;
  const to = data.organisation === null ? '' : ` for ${data.organisation}`;
  return {
    subject,
    heading: subject,
    blocks: [
      paragraph(`${sayAuthor(data.by, letterhead)} made a ${letterhead.brand.productName} account for you${to}.`),
      paragraph(`Your user ID is ${data.userId}.`),
      address(`Choose a password with this link. It works once, until ${sayInstant(data.linkExpiresAt)}.`, link),
      ...unexpected(null, [], letterhead),
    ],
  };
}

export function passwordResetLetter(data: z.output<typeof passwordReset>, letterhead: Letterhead, link: string): Letter {
  const subject = `Choose a new password for ${letterhead.brand.productName}`;
  return {
    subject,
    heading: subject,
    blocks: [
      paragraph(`Somebody asked for a new password for the user ID ${data.userId}.`),
      address(`Choose a new password with this link. It works once, until ${sayInstant(data.linkExpiresAt)}.`, link),
      heading('If you did not ask for this'),
      paragraph('Your password stays as it is and you do not need to do anything.'),
    ],
  };
}

export function passwordChangedLetter(data: z.output<typeof passwordChanged>, letterhead: Letterhead): Letter {
  const subject = `Your password for ${letterhead.brand.productName} was changed`;
  return {
    subject,
    heading: subject,
    blocks: [
      paragraph(`The password of your account was changed on ${sayInstant(data.at)}.`),
      whereToSignIn(letterhead),
      ...unexpected(null, [], letterhead),
    ],
  };
}
