import { type Catalogue, opensAt, serviceIsLive } from '#config/catalogue.ts';
import type { ServiceState } from '#policies/decision.ts';

/** What the policies ask of the catalogue: whether a service is open, and when it opens. */
export function serviceStates(catalogue: Catalogue): (id: string) => ServiceState | undefined {
  const states = new Map<string, ServiceState>(
    catalogue.services.map(service => [
      service.id,
      { live: at => serviceIsLive(service, at), opensAt: service.archived ? null : opensAt(service) },
    ]),
  );
  return id => states.get(id);
}
