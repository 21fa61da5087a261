import type { FastifyInstance } from 'fastify';
import { peopleAddress, registrationAddress } from '../addresses.ts';
import type { AdminDeps } from '../deps.ts';
import { administered } from '../guards.ts';
import { administratorsWhoCanSignIn } from '../standing.ts';

/** The Organisation administration hub: where an administrator chooses what to do. */
export function registerHub(scope: FastifyInstance, { store, now }: AdminDeps): void {
  scope.get('/organisations/:organisation', async (request, reply) => {
    const organisation = administered(request);
    const administrators = await administratorsWhoCanSignIn(store.db, organisation.id, now());
    return reply.page('admin-ui/hub/hub', {
      title: 'Organisation administration hub',
      crumbs: [{ text: 'Organisation administration hub' }],
      organisation: organisation.name,
      alone: administrators.length < 2,
      peopleAddress: peopleAddress(organisation.id),
      tiles: [
        {
          name: 'Register new user',
          description: 'Add somebody who does not have an Education account.',
          href: registrationAddress(organisation.id),
        },
        {
          name: 'Manage users',
          description: 'Choose what the people in your organisation can open.',
          href: peopleAddress(organisation.id),
        },
      ],
    });
  });
}
