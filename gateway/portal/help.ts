import type { FastifyInstance } from 'fastify';

/** Pages that anybody may read: the questions people ask, and who can register them. */
export function addHelp(portal: FastifyInstance): void {
  const open = { config: { rule: 'public' } } as const;
  portal.get('/help', open, async (_request, reply) => reply.page('gateway/portal/help', {}));
  portal.get('/register', open, async (_request, reply) => reply.page('gateway/sign-in/register', {}));
}
