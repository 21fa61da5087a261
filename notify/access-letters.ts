import type { z } from 'zod';
import { sayInstant, sayIsoDay } from '#config/calendar.ts';
import { address, type Block, type Letter, type Letterhead, paragraph, section } from './letter.ts';
import type { accessChanged, administratorWelcome, removedFromOrganisation, right } from './message-data.ts';
import { sayAuthor, unexpected, whereToSignIn } from './phrases.ts';

function sayRight({ name, endsOn }: z.output<typeof right>): string {
  return endsOn === null ? name : `${name}, until ${sayIsoDay(endsOn)}`;
}

export function accessChangedLetter(data: z.output<typeof accessChanged>, letterhead: Letterhead): Letter {
  const subject = `Your access to ${letterhead.brand.productName} has changed`;
  const now = data.now.map(sayRight);
  return {
    subject,
    heading: subject,
    blocks: [
      paragraph(`${sayAuthor(data.by, letterhead)} changed what you can open for ${data.organisation} on ${sayInstant(data.at)}.`),
      ...section('Added', data.added.map(sayRight)),
      ...section('Removed', data.removed),
      ...section('End date changed', data.endDateChanged.map(sayRight)),
      ...(now.length > 0 ? section('You now have', now) : [paragraph(`You now have no services for ${data.organisation}.`)]),
      whereToSignIn(letterhead),
      ...unexpected(data.organisation, data.administrators, letterhead),
    ],
  };
}

export function administratorWelcomeLetter(
  data: z.output<typeof administratorWelcome>,
  letterhead: Letterhead,
  link: string | null,
): Letter {
  const subject = `You are now an Organisation Administrator in ${letterhead.brand.productName}`;
  const expires = data.linkExpiresAt === null ? '' : ` It works once, until ${sayInstant(data.linkExpiresAt)}.`;
  return {
    subject,
    heading: subject,
    blocks: [
      ...sayAppointment(data, sayAuthor(data.by, letterhead)),
      link === null ? whereToSignIn(letterhead) : address(`Choose a password with this link.${expires}`, link),
      paragraph('The first time you open Organisation Admin, you will need a mobile phone that can receive text messages.'),
      ...unexpected(data.organisation, data.administrators, letterhead),
    ],
  };
}

function sayAppointment({ organisation, alsoFor, at }: z.output<typeof administratorWelcome>, author: string): readonly Block[] {
  const appointed = `${author} set you up as an Organisation Administrator`;
  const decide = (where: string) => paragraph(`You decide which people at ${where} can open each of its password-protected services.`);
  if (alsoFor.length === 0) return [paragraph(`${appointed} for ${organisation} on ${sayInstant(at)}.`), decide(organisation)];
  const list = { kind: 'list', items: [organisation, ...alsoFor] } as const;
  return [paragraph(`${appointed} for ${list.items.length} organisations on ${sayInstant(at)}:`), list, decide('each organisation')];
}

export function removedLetter(data: z.output<typeof removedFromOrganisation>, letterhead: Letterhead): Letter {
  const subject = `You have been removed from an organisation in ${letterhead.brand.productName}`;
  return {
    subject,
    heading: subject,
    blocks: [
      paragraph(`${sayAuthor(data.by, letterhead)} removed you from ${data.organisation} on ${sayInstant(data.at)}.`),
      paragraph(`You can no longer open services for ${data.organisation}.`),
      whereToSignIn(letterhead),
      ...unexpected(data.organisation, data.administrators, letterhead),
    ],
  };
}
