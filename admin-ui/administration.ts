import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Catalogue } from '#config/catalogue.ts';
import type { Settings } from '#config/settings.ts';
import type { Policies } from '#policies/policies.ts';
import type { Store } from '#store/database.ts';
import { registerAccess } from './access/access.ts';
import { guardAdministrators, guardCode, guardOrganisation } from './guards.ts';
import { registerHub } from './hub/hub.ts';
import { registerPeople } from './people/people.ts';
import { registerRegistration } from './registration/registration.ts';
import { registerPhoneDeletion } from './removal/phone-deletion.ts';
import { registerRemoval } from './removal/removal.ts';
import { registerSecurityCode } from './security-phone/security-code.ts';
import { registerSecurityPhone } from './security-phone/security-phone.ts';

export type AdminDeps = {
  store: Store;
  policies: Policies;
  catalogue: Catalogue;
  settings: Pick<Settings, 'adminAwayMinutes' | 'code' | 'signIn' | 'invitationDays'>;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** `code` keys the hashes of security codes, `seal` encrypts codes and links that wait in the outbox; 32 bytes each. */
  keys: { code: Buffer; seal: Buffer };
  /** Where the portal lives, such as https://portal.example.gov.uk; links in messages start with it. */
  portalOrigin: string;
  /** Tells the outbox worker that something waits; must not throw and is not awaited. */
  deliverSoon(): void;
  /** The one validator of return addresses, for the portal's own pages: a local path, or "/" for anything else. */
  returnPath(input: unknown): string;
  /** Where to sign in and come back to this path of the portal. */
  signInAddress(path: string): string;
  /** Answers with one of the gateway's problem pages. */
  problem(request: FastifyRequest, reply: FastifyReply, code: 'not-found' | 'rights-not-known'): FastifyReply;
};

type Rule = 'organisation-administrator' | 'organisation-administrator-with-code';

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

function declareRule(scope: FastifyInstance, rule: Rule): void {
  scope.addHook('onRoute', route => {
    route.config = { ...route.config, rule };
  });
}
