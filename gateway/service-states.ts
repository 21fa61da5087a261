import { type Catalogue, liveFrom, opensAt } from '#config/catalogue.ts';
import type { ServiceState } from '#policies/decision.ts';

/** What the policies ask of the catalogue: whether a service is open, and when it opens. Asked at every decision, so worked out once. */
export function serviceStates(catalogue: Catalogue): (id: string) => ServiceState | undefined {
  const states = new Map<string, ServiceState>(
    catalogue.services.map(service => {
      const from = liveFrom(service);
      return [service.id, { live: at => from <= at, opensAt: service.archived ? null : opensAt(service) }];
    }),
  );
  return id => states.get(id);
}
