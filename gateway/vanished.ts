import type { Catalogue } from '#config/catalogue.ts';
import { OperatorFault } from '#config/operator-fault.ts';
import { servicesInUse } from '#store/rights.ts';
import type { Reader } from '#store/tables.ts';

/** The catalogue leaves out a service that somebody has: a line for each. */
export class VanishedFault extends OperatorFault {
  override name = 'VanishedFault';
  override readonly faults: readonly string[];
  constructor(faults: readonly string[]) {
    super(`The service catalogue cannot be used with these data:\n${faults.map(fault => `  ${fault}`).join('\n')}`);
    this.faults = faults;
  }
}

/**
 * The rights of a service that is gone would be unseen, and whoever takes up its id next year would inherit them. Throws VanishedFault
 * when the catalogue has lost an id that rights stand under.
 */
export async function refuseVanished(db: Reader, { services }: Catalogue, file: string, now: number): Promise<void> {
  const listed = new Set(services.map(({ id }) => id));
  const vanished = (await servicesInUse(db, now)).filter(({ service }) => !listed.has(service));
  if (vanished.length === 0) return;
  throw new VanishedFault(
    vanished.map(
      ({ service, organisations, people }) =>
        `${file}: ${service} is gone, but ${organisations} organisations and ${people} people have it or are blocked from it; put it back, with "archived: true" if it has ended`,
    ),
  );
}
