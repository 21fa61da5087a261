import type { FastifyInstance } from 'fastify';
import type { RouteRule } from '#views/route-rules.ts';
import { registerAccess } from './access/access.ts';
import type { AdminDeps } from './deps.ts';
import { guardAdministrators, guardCode, guardOrganisation } from './guards.ts';
import { registerHub } from './hub/hub.ts';
import { registerPeople } from './people/people.ts';
import { registerRegistration } from './registration/registration.ts';
import { registerRemoval } from './removal/removal.ts';
import { registerPhoneDeletion } from './security-phone/phone-deletion.ts';
import { registerSecurityCode } from './security-phone/security-code.ts';
import { registerSecurityPhone } from './security-phone/security-phone.ts';

/**
 * What Organisation Administrators do. Two scopes, each with its guards: the security phone and its code, for anybody who
 * administers an organisation; and the organisation's pages, for its administrators once their code was right.
 */
export function registerAdministration(portal: FastifyInstance, deps: AdminDeps): void {
  portal.register(async scope => {
    declareRule(scope, 'organisation-administrator');
    guardAdministrators(scope, deps);
    registerSecurityPhone(scope, deps);
    registerSecurityCode(scope, deps);
  });
  portal.register(async scope => {
    declareRule(scope, 'organisation-administrator-with-code');
    guardOrganisation(scope, deps);
    guardCode(scope, deps);
    registerHub(scope, deps);
    registerPeople(scope, deps);
    registerRegistration(scope, deps);
    registerAccess(scope, deps);
    registerPhoneDeletion(scope, deps);
    registerRemoval(scope, deps);
  });
}

function declareRule(scope: FastifyInstance, rule: RouteRule): void {
  scope.addHook('onRoute', route => {
    route.config = { ...route.config, rule };
  });
}
