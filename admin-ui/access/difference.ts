import { sayLastDay } from './end-date.ts';
import type { AccessForm, Wanted } from './form.ts';
import type { AccessState, Offer } from './state.ts';

export const administratorName = 'Organisation Admin';

/** What saving the form would change. */
export type Difference = {
  added: Wanted[];
  removed: Offer[];
  endChanged: Wanted[];
  administrator: 'appoint' | 'dismiss' | null;
};

/** Compares the form with what is stored. A service the form did not show is left as it is. */
export function differenceOf(state: AccessState, form: AccessForm): Difference {
  const wanted = new Set(form.wanted.map(({ service }) => service.id));
  return {
    added: form.wanted.filter(({ service }) => service.grant === null),
    removed: state.offers.filter(offer => offer.grant !== null && form.shown.has(offer.id) && !wanted.has(offer.id)),
    endChanged: form.wanted.filter(({ service, endsAt }) => service.grant !== null && service.grant.endsAt !== endsAt),
    administrator: administratorChange(state, form),
  };
}

/** A box that was not shown, or may not be ticked by whoever sends the form, says nothing. */
function administratorChange({ actor, administrator }: AccessState, form: AccessForm): Difference['administrator'] {
  if (form.administrator === null || !actor.appoints || form.administrator === administrator) return null;
  return form.administrator ? 'appoint' : 'dismiss';
}

/** Whether there is nothing to save. */
export function isNothing({ added, removed, endChanged, administrator }: Difference): boolean {
  return added.length + removed.length + endChanged.length === 0 && administrator === null;
}

/** A right by its name, with its last day if it has one. */
export const sayRight = (name: string, endsAt: number | null): string => (endsAt === null ? name : `${name}, until ${sayLastDay(endsAt)}`);

/** The rights a form asks for, in words: one of the two sets somebody with a stale form is shown. */
export function sayForm({ wanted, administrator }: AccessForm, state: AccessState): string[] {
  const isAdministrator = administrator ?? state.administrator;
  return [...wanted.map(({ service, endsAt }) => sayRight(service.name, endsAt)), ...(isAdministrator ? [administratorName] : [])];
}

/** The rights that are stored, in words. */
export function sayState({ offers, administrator }: AccessState): string[] {
  const services = offers.flatMap(({ name, grant }) => (grant ? [sayRight(name, grant.endsAt)] : []));
  return [...services, ...(administrator ? [administratorName] : [])];
}
