import formbody from '@fastify/formbody';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { registerAdministration } from '#admin-ui/administration.ts';
import type { Policies } from '#policies/policies.ts';
import { newToken } from '#store/tokens.ts';
import { addPages } from '#views/pages.ts';
import type { Views } from '#views/render.ts';
import type { Visitor } from '#views/visitor.ts';
import { type AdministrationDeps, administrationDeps } from './administration.ts';
import type { Answers } from './answers.ts';
import { comesFromElsewhere, type FormTokens } from './csrf.ts';
import { addPortalHandOff, type HandOffDeps } from './hand-off.ts';
import type { IdentityTokens } from './identity-token.ts';
import { addPortalPages, type PortalDeps } from './portal/pages.ts';
import { inviteBody } from './server.ts';
import type { Session, Sessions } from './sessions.ts';
import { addForgotPassword, type ForgotPasswordDeps } from './sign-in/forgot-password.ts';
import { addSetPassword, type SetPasswordDeps } from './sign-in/set-password.ts';
import { addSignInPages, type SignInPagesDeps } from './sign-in/sign-in.ts';

export type PortalScopeDeps = HandOffDeps &
  PortalDeps &
  SignInPagesDeps &
  ForgotPasswordDeps &
  SetPasswordDeps &
  AdministrationDeps & {
    answers: Answers;
    policies: Policies;
    /** False while this process may have missed that a session or a right has ended. */
    rightsAreFresh(): boolean;
    sessions: Sessions;
    formTokens: FormTokens;
    identityTokens: IdentityTokens;
    views: Views;
    addToPortal?: (portal: FastifyInstance) => void;
  };

/** What a request to the portal's own host meets, in order: who asks, whether a form is really theirs, and then the page. */
export async function addPortal(app: FastifyInstance, deps: PortalScopeDeps): Promise<void> {
  await app.register(async scope => {
    scope.addHook('onRoute', route => {
      route.constraints = { ...route.constraints, place: 'portal' };
    });
    await scope.register(formbody, { bodyLimit: 64 * 1024 });
    scope.addHook('onRequest', async (request, reply) => {
      if (request.routeOptions.config.rule === 'asset') return;
      request.signedIn = await deps.sessions.read(request.headers.cookie, deps.catalogue.portal.host);
      if (!request.signedIn) return;
      if (!deps.rightsAreFresh()) return deps.answers.problem(request, reply, 'rights-not-known');
      request.visitor = await visitorOf(deps, request.signedIn);
    });
    scope.addHook('onRequest', async (request, reply) => {
      if (request.routeOptions.config.rule !== 'asset') giveFormToken(deps, request, reply);
    });
    scope.addHook('preParsing', (request, reply, _payload, next) => {
      inviteBody(request, reply);
      next();
    });
    scope.addHook('preHandler', async (request, reply) => refuseForeignForms(deps, request, reply));

    await addPages(scope, { catalogue: deps.catalogue, views: deps.views, hsts: deps.catalogue.portal.origin.startsWith('https:') });
    scope.get('/.well-known/jwks.json', { config: { rule: 'asset' } }, (_request, reply) =>
      reply.header('cache-control', 'public, max-age=300').send(deps.identityTokens.jwks),
    );
    addPortalHandOff(scope, deps);
    addSignInPages(scope, deps);
    addForgotPassword(scope, deps);
    addSetPassword(scope, deps);
    addPortalPages(scope, deps);
    registerAdministration(scope, administrationDeps(deps));
    deps.addToPortal?.(scope);
  });
}

async function visitorOf({ policies }: PortalScopeDeps, session: Session): Promise<Visitor> {
  const { person, organisation } = session;
  const may = async (where: number | 'council', service: string) =>
    (await policies.decide({ person: person.id, organisation: where, service, action: 'use' })).outcome === 'allow';
  return {
    personId: person.id,
    firstName: person.firstName,
    name: person.name,
    sessionId: session.id,
    organisation: organisation && { id: organisation.id, name: organisation.name },
    organisations: session.organisations.map(({ id, name }) => ({ id, name })),
    administers: organisation !== null && (await may(organisation.id, 'organisation-admin')),
    councilOperator: await may('council', 'council-admin'),
  };
}

/** Signed out, a form's token hangs on a cookie of its own, made when the first page is shown. */
function giveFormToken({ cookies, formTokens }: PortalScopeDeps, request: FastifyRequest, reply: FastifyReply): void {
  if (request.signedIn) {
    request.formSecret = request.signedIn.token;
  } else {
    request.formSecret = cookies.read(request.headers.cookie, 'form');
    if (request.formSecret === null && request.method === 'GET') {
      request.formSecret = newToken();
      cookies.set(reply, 'form', request.formSecret);
    }
  }
  request.csrf = request.formSecret === null ? '' : formTokens.of(request.formSecret);
}

async function refuseForeignForms(deps: PortalScopeDeps, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
  if (request.method === 'GET' || request.method === 'HEAD') return;
  if (comesFromElsewhere(request, deps.catalogue.portal.origin)) return deps.answers.problem(request, reply, 'form-from-elsewhere');
  const token = (request.body as { _csrf?: unknown } | undefined)?._csrf;
  if (request.formSecret === null || !deps.formTokens.matches(request.formSecret, token))
    return deps.answers.problem(request, reply, 'form-expired');
}

declare module 'fastify' {
  interface FastifyRequest {
    formSecret: string | null;
  }
}
