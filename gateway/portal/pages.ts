import type { FastifyInstance } from 'fastify';
import { signInAddress } from '../addresses.ts';
import type { Answers } from '../answers.ts';
import { addHelp } from './help.ts';
import { addOrganisationSwitch, type OrganisationSwitchDeps } from './organisation.ts';
import { addServices, type ServicesDeps } from './services.ts';

export type PortalDeps = ServicesDeps & OrganisationSwitchDeps & { answers: Answers };

/** The portal's pages for everybody who is signed in, in a scope whose guard sends everybody else to sign in first. */
export function addPortalPages(portal: FastifyInstance, deps: PortalDeps): void {
  addHelp(portal);
  void portal.register(async scope => {
    scope.addHook('onRoute', route => {
      route.config = { ...route.config, rule: 'signed-in' };
    });
    scope.addHook('onRequest', async (request, reply) => {
      if (!request.visitor) return reply.redirect(signInAddress(request.url), 302);
    });
    addServices(scope, deps);
    addOrganisationSwitch(scope, deps);
  });
}
