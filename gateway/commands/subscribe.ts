import { append } from '#store/activity.ts';
import { findOrganisation } from '#store/organisations.ts';
import { servicesOf } from '#store/rights.ts';
import { subscribe, unsubscribe } from '#store/rules.ts';
import type { OrganisationRow } from '#store/tables.ts';
import { type Command, CommandFault, exits, readArguments, type Surroundings } from './command.ts';
import { inWorkplace, type Workplace } from './workplace.ts';

export const subscribing: Command = {
  usage: ['subscribe <organisation code> <service id>', 'subscribe <organisation code> <service id> --remove'],
  async run(args: string[], around: Surroundings) {
    const { values, positionals } = readArguments(args, { remove: { type: 'boolean', default: false } }, { least: 2, most: 2 });
    const [code, service] = positionals as [string, string];
    await inWorkplace(around, { kind: 'any', mayBegin: false }, async place => {
      const organisation = await findOrganisation(place.store.db, code);
      if (!organisation) throw new CommandFault(`There is no organisation with the code ${code}: organisations come with an import.`);
      await (values.remove ? remove : add)(place, organisation, service);
    });
    return exits.fine;
  },
};

async function add({ store, catalogue, now, print }: Workplace, organisation: OrganisationRow, id: string): Promise<void> {
  const service = catalogue.services.find(one => one.id === id && !one.archived);
  if (!service) throw new CommandFault(`There is no service "${id}" in the catalogue: it has ${sayServices(catalogue)}.`);
  if (organisation.closed_at !== null) throw new CommandFault(`${organisation.name} is closed.`);
  const grantable = service.whoMayGrant === 'organisation-administrators';
  const at = now();
  const changed = await store.change(async tx => {
    const subscribed = await subscribe(tx, { organisation: organisation.id, service: id, grantable, by: null, now: at });
    if (subscribed) await append(tx, { at, kind: 'subscription-added', organisation: organisation.id, service: id, data: { grantable } });
    return subscribed;
  });
  const who = grantable ? 'Its Organisation Administrators give it to people.' : 'Only the council gives it to people.';
  print(changed ? `${organisation.name} has ${service.fullName} now. ${who}` : `${organisation.name} had ${service.fullName} already.`);
}

/** A service that is in the catalogue no longer can still be taken away. */
async function remove({ store, catalogue, now, print }: Workplace, organisation: OrganisationRow, id: string): Promise<void> {
  const at = now();
  const name = catalogue.services.find(service => service.id === id)?.fullName ?? id;
  await store.change(async tx => {
    const has = await servicesOf(tx, organisation.id, at);
    if (!has.includes(id)) throw new CommandFault(`${organisation.name} does not have ${name}: it has ${has.join(', ') || 'nothing'}.`);
    await unsubscribe(tx, { organisation: organisation.id, service: id, by: null, now: at });
    await append(tx, { at, kind: 'subscription-removed', organisation: organisation.id, service: id });
  });
  print(`${organisation.name} does not have ${name} any more; whom it was given to keeps it if the organisation gets it back.`);
}

const sayServices = ({ services }: Workplace['catalogue']): string =>
  services.flatMap(service => (service.archived ? [] : [service.id])).join(', ');
