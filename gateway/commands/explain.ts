import { sayInstant } from '#config/calendar.ts';
import { createPolicies, type Policies } from '#policies/policies.ts';
import { factsOf } from '#store/facts.ts';
import { fullName } from '#store/names.ts';
import { findOrganisation } from '#store/organisations.ts';
import type { OrganisationRow, PersonRow } from '#store/tables.ts';
import { createGuard } from '../guard.ts';
import { serviceStates } from '../service-states.ts';
import { type FoundPage, lookUp, takeApart } from './address.ts';
import { type Command, CommandFault, type Exit, exits, readArguments, type Surroundings, UsageFault } from './command.ts';
import { readInstant } from './instant.ts';
import { type Belonging, belongingsOf, findPerson } from './people-look-up.ts';
import { sayRules, sayTaken } from './provenance.ts';
import { inWorkplace, type Workplace } from './workplace.ts';

const options = {
  url: { type: 'string' },
  person: { type: 'string' },
  organisation: { type: 'string' },
  at: { type: 'string' },
} as const;

/** Exit code 0: allowed (in one of the person's organisations at least), 3: not. Without a person: whether there is such a page. */
export const explain: Command = {
  usage: [
    'explain --url <address>',
    'explain --url <address> --person <user ID or email address> [--organisation <code>] [--at <instant to come, such as 2030-09-01T09:00:00Z>]',
  ],
  async run(args: string[], around: Surroundings) {
    const { values } = readArguments(args, options, { least: 0, most: 0 });
    const { url, person: name, organisation } = values;
    if (url === undefined) throw new UsageFault('--url is missing.');
    if (name === undefined && (organisation ?? values.at) !== undefined) throw new UsageFault('--person is missing.');
    const now = around.now();
    const at = readInstant(values.at) ?? now;
    // What was true in the past cannot be told from the memberships of today.
    if (at < now) throw new UsageFault('--at must not lie in the past.');
    const written = takeApart(url);
    return inWorkplace(around, { kind: 'any', mayBegin: false }, async place => {
      const { lines, found, served } = lookUp(place.catalogue, written, at);
      for (const line of [`Address   ${url}`, ...lines]) place.print(line);
      if (!found) return served ? exits.fine : exits.notAllowed;
      const open = found.page.kind === 'open';
      if (name !== undefined && !open) return explainPerson({ ...place, now: () => at }, found, name, organisation);
      place.print(open ? 'Decision  allow (open-page)' : 'Decision  sign-in (not-signed-in), then by person: add --person');
      return exits.fine;
    });
  },
};

async function explainPerson(place: Workplace, found: FoundPage, name: string, code: string | undefined): Promise<Exit> {
  const someone = await findPerson(place.store.db, name);
  const belongings = await belongingsOf(place.store.db, someone.id);
  const policies = createPolicies({
    factsOf: domain => factsOf(place.store.db, domain),
    service: serviceStates(place.catalogue),
    now: place.now,
    onFault: fault => place.complain(`The rights could not be read: ${fault instanceof Error ? fault.message : fault}.`),
  });
  const asking: Asking = { place, found, policies, person: someone };
  if (code !== undefined) return (await explainIn(asking, await organisationOf(place, code), belongings)) ? exits.fine : exits.notAllowed;
  const present = belongings.filter(({ removed }) => removed === null);
  let allowed = false;
  for (const { organisation } of present) allowed = (await explainIn(asking, organisation, belongings)) || allowed;
  if (present.length === 0) allowed = await explainNowhere(asking, belongings);
  return allowed ? exits.fine : exits.notAllowed;
}

async function organisationOf({ store }: Workplace, code: string): Promise<OrganisationRow> {
  const organisation = await findOrganisation(store.db, code);
  if (!organisation) throw new CommandFault(`There is no organisation with the code ${code}.`);
  return organisation;
}

type Asking = { place: Workplace; found: FoundPage; policies: Policies; person: PersonRow };

/** Prints the gateway's own judgement of the person working in one organisation, and what lies behind it. */
async function explainIn(asking: Asking, organisation: OrganisationRow, belongings: readonly Belonging[]): Promise<boolean> {
  const { place, found, policies, person } = asking;
  const decision = await judge(asking, organisation.id);
  const { print } = place;
  print(`\n${fullName(person)} at ${organisation.name} (${organisation.code})`);
  print(`Decision  ${decision.outcome} (${decision.reason})`);
  // Of shared pages, the rule that decided belongs to another service than the page's own.
  const service = found.page.service ?? /, s:([a-z0-9-]+), use, /.exec(decision.rule ?? '')?.[1];
  if (service === undefined) {
    print('Because   None of the services of this host may be used.');
    return false;
  }
  const names = { person: fullName(person), organisation: organisation.name, ...nameOfService(place, service) };
  const explanation = await policies.explain({ person: person.id, organisation: organisation.id, service, action: 'use' }, names);
  for (const sentence of explanation.sentences) print(`Because   ${sentence}`);
  for (const line of await sayRules(place.store.db, explanation)) print(line);
  if (decision.outcome !== 'allow') {
    for (const line of await sayTaken(place.store.db, { person: person.id, organisation: organisation.id, service })) print(line);
    sayRemovals(
      place,
      belongings.filter(belonging => belonging.organisation.id === organisation.id),
    );
  }
  return decision.outcome === 'allow';
}

/** Somebody who belongs nowhere, as the gateway sees them. */
async function explainNowhere(asking: Asking, belongings: readonly Belonging[]): Promise<boolean> {
  const { place, person } = asking;
  const decision = await judge(asking, null);
  place.print(`\n${fullName(person)}`);
  place.print(`Decision  ${decision.outcome} (${decision.reason})`);
  place.print(`Because   ${fullName(person)} does not belong to any organisation.`);
  sayRemovals(place, belongings);
  return decision.outcome === 'allow';
}

function judge({ place, found, policies, person }: Asking, organisation: number | null) {
  const guard = createGuard({ catalogue: place.catalogue, policies, rightsAreFresh: () => true });
  return guard(found.site, found.page, { person, organisation: organisation === null ? null : { id: organisation } });
}

function nameOfService({ catalogue }: Workplace, id: string): { service?: string } {
  const service = catalogue.services.find(one => one.id === id);
  return service ? { service: service.fullName } : {};
}

function sayRemovals({ print }: Workplace, belongings: readonly Belonging[]): void {
  for (const { organisation, removed } of belongings) {
    if (!removed) continue;
    const reason = removed.reason ? ` (${removed.reason})` : '';
    print(`Before    Removed from ${organisation.name} on ${sayInstant(removed.at)} by ${removed.by ?? 'the council'}${reason}.`);
  }
}
