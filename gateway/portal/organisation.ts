import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Store } from '#store/database.ts';
import { setOrganisation } from '#store/sessions.ts';
import { fieldOf, longField } from '#views/forms.ts';
import { visitorOf } from '#views/visitor.ts';
import type { Answers } from '../answers.ts';
import type { ReturnAddresses } from '../return-address.ts';

export type OrganisationSwitchDeps = { store: Store; answers: Answers; returnAddress: ReturnAddresses; now: () => number };

const form = z.object({ organisation: z.coerce.number().int().positive(), return: longField });

/** Choosing the organisation to work in. The whole session changes with it, on every host. */
export function addOrganisationSwitch(portal: FastifyInstance, deps: OrganisationSwitchDeps): void {
  portal.get('/organisation', async (request, reply) => {
    const address = deps.returnAddress(fieldOf(request.query, 'return', longField));
    return reply.page('gateway/portal/organisation', { returnTo: address?.href ?? '' });
  });

  portal.post('/organisation', async (request, reply) => {
    const visitor = visitorOf(request);
    const parsed = form.safeParse(request.body);
    const chosen = parsed.success ? visitor.organisations.find(({ id }) => id === parsed.data.organisation) : undefined;
    if (!parsed.success || !chosen) return deps.answers.problem(request, reply, 'not-found');
    await deps.store.change(tx => setOrganisation(tx, { session: visitor.sessionId, organisation: chosen.id, now: deps.now() }));
    return reply.redirect(deps.returnAddress(parsed.data.return)?.location ?? '/', 303);
  });
}
