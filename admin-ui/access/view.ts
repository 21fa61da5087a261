import { sayDay } from '#config/calendar.ts';
import type { OrganisationRow } from '#store/tables.ts';
import type { FieldError } from '#views/forms.ts';
import type { Crumb } from '#views/render.ts';
import { hubAddress, peopleAddress, personAddress } from '../addresses.ts';
import { type Difference, sayForm, sayRight, sayState } from './difference.ts';
import { type AccessForm, endField, writeEnd } from './form.ts';
import { type AccessState, nameOf } from './state.ts';

/** What the page of boxes shows: the stored access, or what was typed when the form comes back with errors. */
export function boxesPage(organisation: OrganisationRow, state: AccessState, form: AccessForm | null, errors: FieldError[]) {
  const services = state.offers.map(offer => ({
    id: offer.id,
    name: offer.name,
    about: [offer.description, offer.opening, offer.given]
      .filter(part => part !== null)
      .map(sentence)
      .join(' '),
    ticked: form ? form.ticked.has(offer.id) : offer.grant !== null,
    endField: endField(offer.id),
    end: form ? (form.typed.get(offer.id) ?? '') : writeEnd(offer.grant?.endsAt ?? null),
  }));
  return {
    ...frame(organisation, state, `Manage user access: ${nameOf(state)}`),
    errors,
    version: state.version,
    services,
    appoints: state.actor.appoints,
    administrator: form?.administrator ?? state.administrator,
    facts: factsOf(state),
  };
}

/** The page that asks once more before somebody becomes an administrator or stops being one. */
export function confirmationPage(
  organisation: OrganisationRow,
  state: AccessState,
  form: AccessForm,
  difference: Difference,
  self: boolean,
) {
  const appoint = difference.administrator === 'appoint';
  const make = `Make ${self ? 'yourself' : nameOf(state)}`;
  const stop = self ? 'Stop being' : `Stop ${nameOf(state)} being`;
  return {
    ...frame(organisation, state, `${appoint ? make : stop} an Organisation Administrator?`),
    appoint,
    self,
    added: difference.added.map(({ service, endsAt }) => sayRight(service.name, endsAt)),
    removed: difference.removed.map(({ name }) => name),
    endChanged: difference.endChanged.map(({ service, endsAt }) => sayRight(service.name, endsAt)),
    version: form.version,
    shown: [...form.shown],
    chosen: state.offers
      .filter(({ id }) => form.ticked.has(id))
      .map(({ id }) => ({ id, endField: endField(id), end: form.typed.get(id) ?? '' })),
  };
}

/** The page for a form that was drawn before the last change: what is stored and what was chosen, and nothing saved. */
export function stalePage(organisation: OrganisationRow, state: AccessState, form: AccessForm) {
  return {
    ...frame(organisation, state, 'Someone else changed this person’s access while you were looking at it'),
    stored: sayState(state),
    chosen: sayForm(form, state),
  };
}

function frame(organisation: OrganisationRow, state: AccessState, title: string) {
  const crumbs: Crumb[] = [
    { text: 'Organisation admin', href: hubAddress(organisation.id) },
    { text: 'Manage users', href: peopleAddress(organisation.id) },
    { text: 'Manage user access' },
  ];
  return {
    title,
    crumbs,
    organisation: organisation.name,
    person: nameOf(state),
    address: personAddress(organisation.id, state.person.id),
  };
}

const sentence = (text: string): string => (text.endsWith('.') ? text : `${text}.`);

function factsOf({ person, userIds, jobRole }: AccessState) {
  return [
    { key: 'User ID', value: userIds.join(', ') || 'None' },
    { key: 'Email', value: person.email ?? 'None' },
    ...(jobRole ? [{ key: 'Job role', value: jobRole }] : []),
    { key: 'Last signed in', value: person.last_signed_in_at === null ? 'Never' : sayDay(person.last_signed_in_at) },
  ];
}
