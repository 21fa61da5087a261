import type { FastifyRequest } from 'fastify';
import { type Entry, readAfter } from '#store/activity.ts';
import { fullName } from '#store/names.ts';
import { person as personById } from '#store/people.ts';
import type { PersonRow } from '#store/tables.ts';
import type { Banner } from '#views/render.ts';
import { visitorOf } from '#views/visitor.ts';
import { sayRight } from './access/difference.ts';
import { parseId } from './addresses.ts';
import type { AdminDeps } from './deps.ts';
import { administered } from './guards.ts';

const freshMs = 10 * 60_000;

/**
 * The green banner after a save. The address names an entry of the activity, and only whoever made that change, a moment ago and
 * in this organisation, is shown it; so a banner can neither be forged by a link nor told to anybody else.
 */
export async function savedBanner(deps: AdminDeps, request: FastifyRequest, saved: string, person?: number): Promise<Banner | null> {
  const id = parseId(saved);
  if (id === null) return null;
  const [entry] = await readAfter(deps.store.db, id - 1, 1);
  if (entry?.id !== id || entry.person === null || entry.at < deps.now() - freshMs) return null;
  if (entry.organisation !== administered(request).id || entry.actor !== visitorOf(request).personId) return null;
  if (person !== undefined && entry.person !== person) return null;
  const about = await personById(deps.store.db, entry.person);
  return about ? say(deps, entry, about, administered(request).name) : null;
}

function say(deps: AdminDeps, entry: Entry, about: PersonRow, organisation: string): Banner | null {
  const name = fullName(about);
  const told =
    about.email === null ? `${name} has no email address, so we could not tell them.` : `We have sent an email to ${about.email}.`;
  switch (entry.kind) {
    case 'access-changed':
      return { heading: `Access updated for ${name}`, lines: [...sayChange(deps, entry), told] };
    case 'membership-removed':
      return { heading: `${name} has been removed from ${organisation}`, lines: ['They can no longer open its services.', told] };
    case 'security-phone-deleted':
      return { heading: `The OTP number of ${name} has been deleted`, lines: ['They will be asked to set up a phone next time.', told] };
    case 'membership-added':
    case 'membership-restored':
      return { heading: `${name} has been added to ${organisation}`, lines: [told, 'Tick what they may open.'] };
    default:
      return null;
  }
}

function sayChange({ catalogue }: AdminDeps, { data }: Entry): string[] {
  const names = new Map(catalogue.services.map(service => [service.id, service.shortName]));
  const ends = (data.ends ?? {}) as Record<string, number | null>;
  const list = (key: string) => ((data[key] ?? []) as string[]).map(id => sayRight(names.get(id) ?? id, ends[id] ?? null));
  const box = (when: string) => (data.administrator === when ? ['Organisation Admin'] : []);
  const line = (label: string, items: string[]) => (items.length > 0 ? [`${label}: ${items.join('; ')}`] : []);
  return [
    ...line('Added', [...list('added'), ...box('appoint')]),
    ...line('Removed', [...list('removed'), ...box('dismiss')]),
    ...line('End date changed', list('endChanged')),
  ];
}
