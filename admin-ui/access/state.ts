import { sayDay } from '#config/calendar.ts';
import { type Catalogue, opensAt, type Service, serviceIsLive } from '#config/catalogue.ts';
import { readTogether } from '#store/database.ts';
import { member } from '#store/memberships.ts';
import { fullName } from '#store/names.ts';
import { person as personById, personNames } from '#store/people.ts';
import { type Grant, grantsOf, servicesOf } from '#store/rights.ts';
import { administratorRole, liveRules, organisationDomain, personSubject } from '#store/rule-rows.ts';
import type { PersonRow, Reader } from '#store/tables.ts';
import { userIdsOf } from '../people/queries.ts';
import { askWithin } from '../standing.ts';

/** A service that an administrator may give, and whether the person has it; `given` says by whom and when. */
export type Offer = { id: string; name: string; description: string; opening: string | null; grant: Grant | null; given: string | null };

/** All that deciding about somebody's access rests on, as of one moment. */
export type AccessState = {
  organisation: number;
  person: PersonRow;
  userIds: string[];
  jobRole: string | null;
  /** Changes with every change of this person's access, so that a form drawn before it can be told. */
  version: number;
  offers: Offer[];
  administrator: boolean;
  /** Whether whoever looks may use the administration, and appoint administrators. */
  actor: { administers: boolean; appoints: boolean };
};
export type Where = { organisation: number; person: number; actor: number; now: number };

/** Reads it in one consistent read, or inside a change. Null for somebody who is no member of the organisation. */
export function accessState(db: Reader, catalogue: Catalogue, where: Where): Promise<AccessState | null> {
  return readTogether(db, async reader => {
    const { organisation, person: id, actor, now } = where;
    const membership = await member(reader, organisation, id);
    const person = membership && (await personById(reader, id));
    if (!person) return null;
    const may = await askWithin(reader, organisation, actor, now);
    const subscribed = new Set(await servicesOf(reader, organisation, now));
    const grantable = catalogue.services.filter(({ id, archived }) => !archived && subscribed.has(id) && may(id, 'grant'));
    const grants = new Map((await grantsOf(reader, organisation, id, now)).map(grant => [grant.service, grant]));
    return {
      organisation,
      person,
      userIds: (await userIdsOf(reader, [id])).get(id) ?? [],
      jobRole: membership.job_role,
      version: membership.version,
      offers: await offersOf(reader, grantable, grants, now),
      administrator: await holdsAdministration(reader, where),
      actor: { administers: may('organisation-admin', 'use'), appoints: may('organisation-admin', 'grant') },
    };
  });
}

async function offersOf(db: Reader, services: Service[], grants: Map<string, Grant>, now: number): Promise<Offer[]> {
  const givers = [...grants.values()].map(grant => grant.grantedBy).filter(id => id !== null);
  const names = await personNames(db, givers);
  const offers = services.map(service => {
    const grant = grants.get(service.id) ?? null;
    const opens = opensAt(service);
    return {
      id: service.id,
      name: service.shortName,
      description: service.description,
      opening: opens !== null && !serviceIsLive(service, now) ? `Opening on ${sayDay(opens)}` : null,
      grant,
      given: grant && `Given ${sayGiver(grant, names)}on ${sayDay(grant.grantedAt)}`,
    };
  });
  return offers.sort((a, b) => a.name.localeCompare(b.name, 'en-GB'));
}

function sayGiver({ grantedBy }: Grant, names: Map<number, string>): string {
  const name = grantedBy === null ? undefined : names.get(grantedBy);
  return name === undefined ? '' : `by ${name} `;
}

/** Whether the box is ticked: the rule as written, also for somebody who cannot use it now because the council blocked them. */
async function holdsAdministration(db: Reader, { organisation, person, now }: Where): Promise<boolean> {
  const domain = organisationDomain(organisation);
  const rules = await liveRules(db, { domain, ptype: 'g', v: [personSubject(person), administratorRole, domain] }, now);
  return rules.length > 0;
}

export const nameOf = (state: AccessState): string => fullName(state.person);
