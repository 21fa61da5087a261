import type { FastifyRequest } from 'fastify';
import { type Catalogue, opensAt, type Page, type Service, type Site } from '#config/catalogue.ts';
import type { Decision } from '#policies/decision.ts';
import type { Policies } from '#policies/policies.ts';
import type { Store } from '#store/database.ts';
import { fullName } from '#store/names.ts';
import { administratorsOf } from '#store/rights.ts';
import type { Session } from './sessions.ts';

/** Somebody who is signed in and may not open a page. */
export type Refusal = { decision: Decision; site: Site; page: Page; session: Session };

export type DeniedPageDeps = { catalogue: Catalogue; store: Store; policies: Policies; now: () => number };

/** Why, for whom, and what to do next; nothing of the legacy page itself, not even its title. */
export async function deniedPage(deps: DeniedPageDeps, request: FastifyRequest, { decision, site, page, session }: Refusal) {
  const { catalogue, store, now } = deps;
  const service = catalogue.services.find(entry => entry.id === page.service) ?? null;
  const administrators = session.organisation ? await administratorsOf(store.db, session.organisation.id, now()) : [];
  const elsewhere = service ? await organisationsThatMay(deps, session, service.id) : [];
  return {
    variant: variantOf(decision, service, elsewhere.length > 0),
    service: service && { name: service.fullName, contact: service.contact, opensOn: opensAt(service) },
    person: session.person.name,
    organisation: session.organisation?.name ?? null,
    administers: session.organisation && administrators.some(({ id }) => id === session.person.id) ? session.organisation.id : null,
    administrators: administrators.map(person => ({ name: fullName(person) })),
    elsewhere,
    switchAddress: `${catalogue.portal.origin}/organisation?${new URLSearchParams({ return: site.origin + request.url })}`,
    reference: request.id,
  };
}

function variantOf({ reason }: Decision, service: Service | null, mayElsewhere: boolean): string {
  if (mayElsewhere) return 'other-organisation';
  if (reason === 'no-subscription' || reason === 'organisation-closed') return 'no-subscription';
  if (reason === 'service-not-open') return 'not-open';
  if (reason === 'blocked') return 'blocked';
  if (reason === 'person-inactive' || reason === 'not-a-member') return 'inactive';
  return service?.whoMayGrant === 'council' ? 'council-gives' : 'no-grant';
}

async function organisationsThatMay(deps: DeniedPageDeps, session: Session, service: string) {
  const others = session.organisations.filter(organisation => organisation.id !== session.organisation?.id);
  const decisions = await Promise.all(
    others.map(other => deps.policies.decide({ person: session.person.id, organisation: other.id, service, action: 'use' })),
  );
  return others.filter((_, index) => decisions[index]?.outcome === 'allow').map(({ id, name }) => ({ id, name }));
}
