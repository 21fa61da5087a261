import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Store } from '#store/database.ts';
import { setOrganisation } from '#store/sessions.ts';
import type { Answers } from '../answers.ts';
import type { ReturnAddresses } from '../return-address.ts';

export type OrganisationSwitchDeps = { store: Store; answers: Answers; returnAddress: ReturnAddresses; now: () => number };

const form = z.object({ organisation: z.coerce.number().int().positive(), return: z.string().optional() });

/** Choosing the organisation to work in. The whole session changes with it, on every host. */
export function addOrganisationSwitch(portal: FastifyInstance, deps: OrganisationSwitchDeps): void {
  portal.get('/organisation', async (request, reply) => {
    const { return: to } = request.query as { return?: unknown };
    return reply.page('gateway/portal/organisation', { returnTo: deps.returnAddress(to)?.href ?? '' });
  });

  portal.post('/organisation', async (request, reply) => {
    const visitor = request.visitor!;
    const parsed = form.safeParse(request.body);
    const chosen = parsed.success ? visitor.organisations.find(({ id }) => id === parsed.data.organisation) : undefined;
    if (!parsed.success || !chosen) return deps.answers.problem(request, reply, 'not-found');
    await deps.store.change(tx => setOrganisation(tx, { session: visitor.sessionId, organisation: chosen.id, now: deps.now() }));
    const address = deps.returnAddress(parsed.data.return);
    return reply.redirect(!address ? '/' : address.portal ? address.path : address.href, 303);
  });
}
