import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { fullName } from '#store/names.ts';
import { grantsByPerson, type RightsOfPerson, servicesOf } from '#store/rights.ts';
import type { OrganisationRow } from '#store/tables.ts';
import { field, longField } from '#views/forms.ts';
import { isPartial } from '#views/htmx.ts';
import { visitorOf } from '#views/visitor.ts';
import { hubAddress, peopleAddress, personAddress, phoneDeletionAddress, registrationAddress, removalAddress } from '../addresses.ts';
import type { AdminDeps } from '../deps.ts';
import { administered } from '../guards.ts';
import { savedBanner } from '../saved-banner.ts';
import { type ListedPerson, listPeople, type PeoplePage, pageSize } from './queries.ts';

const longestSearch = 200;
const shownServices = 3;

const query = z.object({
  q: longField.transform(text =>
    text
      .replace(/\p{Cc}/gu, ' ')
      .trim()
      .slice(0, longestSearch),
  ),
  page: field.transform(text => (/^[1-9]\d{0,5}$/.test(text) ? Number(text) : 1)),
  saved: field,
});

/** Manage users: the people of an organisation, 25 to a page; the rows alone when htmx searches while somebody types. */
export function registerPeople(scope: FastifyInstance, deps: AdminDeps): void {
  scope.get('/organisations/:organisation/people', async (request, reply) => {
    const organisation = administered(request);
    const { q, page, saved } = query.parse(request.query);
    const found = await listPeople(deps.store.db, organisation.id, q, page);
    const data = await viewOf(deps, request, organisation, q, found);
    if (isPartial(request.headers)) return reply.fragment('admin-ui/people/_answer', data);
    return reply.page('admin-ui/people/manage-users', { ...data, banner: await savedBanner(deps, request, saved) });
  });
}

async function viewOf(deps: AdminDeps, request: FastifyRequest, organisation: OrganisationRow, search: string, found: PeoplePage) {
  const { store, now, catalogue } = deps;
  const rights = await grantsByPerson(store.db, organisation.id, now());
  const subscribed = new Set(await servicesOf(store.db, organisation.id, now()));
  const names = new Map(catalogue.services.filter(one => subscribed.has(one.id)).map(one => [one.id, one.shortName]));
  const self = visitorOf(request).personId;
  const address = peopleAddress(organisation.id);
  return {
    title: found.page > 1 ? `Manage users (page ${found.page} of ${found.pages})` : 'Manage users',
    crumbs: [{ text: 'Organisation administration hub', href: hubAddress(organisation.id) }, { text: 'Manage users' }],
    organisation: organisation.name,
    provisioning: organisation.provisioning,
    address,
    registrationAddress: registrationAddress(organisation.id),
    search,
    rows: withNamesakes(found.people.map(person => rowOf(organisation.id, person, rights.get(person.id), names, self))),
    count: sayCount(found, search),
    current: found.page,
    pages: found.pages,
    pageQuery: `${address}?${new URLSearchParams(search === '' ? { page: '' } : { q: search, page: '' })}`,
  };
}

function sayCount({ total, page, pages }: PeoplePage, search: string): string {
  const people = total === 1 ? '1 person' : `${total} people`;
  const matching = search === '' ? '' : ` matching ‘${search}’`;
  if (total === 0) return search === '' ? 'No people' : `No one matches ‘${search}’`;
  const first = (page - 1) * pageSize + 1;
  return pages === 1 ? `${people}${matching}` : `${first} to ${Math.min(page * pageSize, total)} of ${people}${matching}`;
}

function rowOf(organisation: number, person: ListedPerson, rights: RightsOfPerson | undefined, names: Map<string, string>, self: number) {
  const services = (rights?.services ?? []).map(id => names.get(id)).filter(name => name !== undefined);
  services.sort((a, b) => a.localeCompare(b, 'en-GB'));
  const more = services.length - shownServices;
  return {
    name: fullName(person),
    address: personAddress(organisation, person.id),
    email: person.email ?? 'None',
    userId: person.userIds.join(', ') || 'None',
    phone: sayPhone(person.phone),
    administrator: rights?.administrator === true,
    access: services.length === 0 ? 'None' : services.slice(0, shownServices).join(', ') + (more > 0 ? ` and ${more} more` : ''),
    deletePhone: person.security_phone === null ? null : phoneDeletionAddress(organisation, person.id),
    deletePerson: person.id === self ? null : removalAddress(organisation, person.id),
  };
}

/** Links that lead to different places must not be called the same, so people who share a name are told apart by their user ID. */
function withNamesakes<Row extends { name: string; userId: string }>(rows: Row[]) {
  return rows.map(row => {
    const namesake = rows.some(other => other !== row && other.name === row.name);
    return { ...row, namesake, about: namesake ? `${row.name} (${row.userId})` : row.name };
  });
}

/** Old records hold numbers like 0000000000 for people without one. */
const sayPhone = (phone: string | null): string => (phone !== null && /[1-9]/.test(phone) ? phone.replaceAll(' ', '\u00a0') : 'None');
