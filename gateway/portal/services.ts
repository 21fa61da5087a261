import type { FastifyInstance } from 'fastify';
import { type Catalogue, closureAt, opensAt, type Service, serviceIsLive } from '#config/catalogue.ts';
import type { Policies } from '#policies/policies.ts';
import type { Store } from '#store/database.ts';
import { administratorNames, grantsOf, servicesOf } from '#store/rights.ts';
import { type Visitor, visitorOf } from '#views/visitor.ts';

export type ServicesDeps = { catalogue: Catalogue; policies: Policies; store: Store; now: () => number };

/** The account page: tools for administrators, and a tile for each service the person was given in this organisation. */
export function addServices(portal: FastifyInstance, deps: ServicesDeps): void {
  portal.get('/', async (request, reply) => {
    const visitor = visitorOf(request);
    const organisation = visitor.organisation;
    const administrators = organisation ? await administratorNames(deps.store.db, organisation.id, deps.now()) : [];
    const givers = visitor.administers ? null : administrators;
    const { mine, others } = organisation ? await tilesOf(deps, visitor, organisation.id, givers) : { mine: [], others: [] };
    return reply.page('gateway/portal/services', {
      organisation: organisation?.name ?? null,
      tools:
        organisation && visitor.administers
          ? [
              {
                name: 'Organisation Admin',
                description: 'Decide who in your organisation can use each service.',
                opensOn: null,
                href: `/organisations/${organisation.id}`,
              },
            ]
          : [],
      services: mine,
      others,
      administrators: administrators.map(name => ({ name })),
    });
  });
}

/** A service that is granted but has not opened yet is shown with its day; it cannot be opened before. */
async function tilesOf({ catalogue, policies, store, now }: ServicesDeps, visitor: Visitor, organisation: number, givers: Givers) {
  const at = now();
  const subscribed = new Set(await servicesOf(store.db, organisation, at));
  const granted = new Set((await grantsOf(store.db, organisation, visitor.personId, at)).map(grant => grant.service));
  const mine: Tile[] = [];
  const others: { name: string; whoGives: string }[] = [];
  for (const service of catalogue.services) {
    if (!subscribed.has(service.id) || service.archived) continue;
    const decision = await policies.decide({ person: visitor.personId, organisation, service: service.id, action: 'use' });
    const opensLater = decision.reason === 'service-not-open' && granted.has(service.id);
    if (decision.outcome === 'allow' || opensLater) mine.push(tileOf(service, at));
    else others.push({ name: service.shortName, whoGives: whoGives(service, givers) });
  }
  const byName = (a: { name: string }, b: { name: string }) => a.name.localeCompare(b.name, 'en-GB');
  return { mine: mine.sort(byName), others: others.sort(byName) };
}

type Tile = {
  name: string;
  description: string;
  href: string | null;
  opensOn: number | null;
  closed: Service['maintenance'];
  contact: Service['contact'];
};

function tileOf(service: Service, now: number): Tile {
  const live = serviceIsLive(service, now);
  const closed = live ? closureAt(service, now) : null;
  return {
    name: service.shortName,
    description: service.description,
    href: live && !closed ? service.start : null,
    opensOn: live ? null : opensAt(service),
    closed,
    contact: service.contact,
  };
}

/** The names of those who may give a service; null when that is the visitor. */
type Givers = readonly string[] | null;

const anyOf = new Intl.ListFormat('en-GB', { type: 'disjunction' });
const namedAtMost = 4;

function whoGives({ whoMayGrant, contact }: Service, givers: Givers): string {
  if (whoMayGrant === 'council') return `Ask ${contact.name}, ${contact.email}`;
  if (givers === null) return 'You can give yourself access in Organisation Admin';
  if (givers.length === 0) return 'Nobody in your organisation can give access at the moment';
  const others = givers.length > namedAtMost ? ['another Organisation Administrator'] : [];
  return `Ask ${anyOf.format([...givers.slice(0, namedAtMost), ...others])}`;
}
