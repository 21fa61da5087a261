import { z } from 'zod';
import { type FieldError, field, fieldOf, ticks } from '#views/forms.ts';
import { lastDay, readEndDate } from './end-date.ts';
import type { AccessState, Offer } from './state.ts';

const form = z.object({
  version: field.transform(text => (/^\d{1,9}$/.test(text) ? Number(text) : -1)),
  /** The services the form showed: what it did not show, it says nothing about. */
  shown: ticks,
  services: ticks,
  'administrator-shown': field,
  administrator: field,
  confirm: field,
});

export type Wanted = { service: Offer; endsAt: number | null };
export type AccessForm = {
  version: number;
  shown: ReadonlySet<string>;
  ticked: ReadonlySet<string>;
  /** End dates as typed, by service. */
  typed: ReadonlyMap<string, string>;
  /** The box as sent; null when the form did not show it. */
  administrator: boolean | null;
  confirmed: boolean;
  /** The offered services that were ticked, with their end; complete only without errors. */
  wanted: Wanted[];
  /** A box was ticked for something that is not on offer (any more). */
  outdated: boolean;
  errors: FieldError[];
};

export const endField = (service: string): string => `ends-${service}`;

/** Reads the boxes and dates against what is on offer now. Never throws; what cannot be read is an error with its field. */
export function readForm(body: unknown, state: AccessState, now: number): AccessForm {
  const sent = form.parse(body ?? {});
  const ticked = new Set(sent.services);
  const offered = new Map(state.offers.map(offer => [offer.id, offer]));
  const read: AccessForm = {
    version: sent.version,
    shown: new Set(sent.shown),
    ticked,
    typed: new Map(state.offers.map(({ id }) => [id, fieldOf(body, endField(id))])),
    administrator: sent['administrator-shown'] === 'yes' ? sent.administrator === 'yes' : null,
    confirmed: sent.confirm === 'yes',
    wanted: [],
    outdated: sent.services.some(id => !offered.has(id) || !sent.shown.includes(id)),
    errors: [],
  };
  for (const service of state.offers) {
    if (!ticked.has(service.id) || !read.shown.has(service.id)) continue;
    const end = readEndDate(read.typed.get(service.id) ?? '', now);
    if ('fault' in end) read.errors.push({ field: endField(service.id), text: end.fault });
    else read.wanted.push({ service, endsAt: end.endsAt });
  }
  return read;
}

/** The end of a grant as the box shows it: 31 3 2027, or nothing. */
export function writeEnd(endsAt: number | null): string {
  if (endsAt === null) return '';
  const [year, month, day] = lastDay(endsAt).split('-').map(Number);
  return `${day} ${month} ${year}`;
}
