import formbody from '@fastify/formbody';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { registerAdministration } from '#admin-ui/administration.ts';
import type { Policies } from '#policies/policies.ts';
import { newToken } from '#store/tokens.ts';
import { addAssets, addPages } from '#views/pages.ts';
import type { Views } from '#views/render.ts';
import type { Visitor } from '#views/visitor.ts';
import { type AdministrationDeps, administrationDeps } from './administration.ts';
import type { Answers } from './answers.ts';
import { comesFromElsewhere, type FormTokens } from './csrf.ts';
import { limitSilence } from './forwarding/request-body.ts';
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

// In the middle of a form of the portal's own, which a browser sends in one piece.
const FORM_SILENCE_MS = 30_000;

/** What a request to the portal's own host meets, in order: who asks, whether a form is really theirs, and then the page. */
export async function addPortal(app: FastifyInstance, deps: PortalScopeDeps): Promise<void> {
  const { catalogue, views } = deps;
  await app.register(async portal => {
    portal.addHook('onRoute', route => {
      route.constraints = { ...route.constraints, place: 'portal' };
    });
    await addPages(portal, { catalogue, views, hsts: catalogue.portal.origin.startsWith('https:') });
    // Styles, scripts and public keys are the same for everybody: nobody asks who comes for them.
    portal.register(async files => {
      addAssets(files, views.assets);
      files.get('/.well-known/jwks.json', { config: { rule: 'asset' } }, (_request, reply) =>
        reply.header('cache-control', 'public, max-age=300').send(deps.identityTokens.jwks),
      );
    });
    portal.register(async pages => {
      await pages.register(formbody, { bodyLimit: 64 * 1024 });
      pages.addHook('onRequest', (request, reply) => findVisitor(deps, request, reply));
      pages.addHook('onRequest', async (request, reply) => giveFormToken(deps, request, reply));
      pages.addHook('preParsing', (request, reply, _payload, next) => {
        inviteBody(request, reply);
        if (!request.raw.complete) request.raw.once('end', limitSilence(request, FORM_SILENCE_MS));
        next();
      });
      pages.addHook('preHandler', (request, reply) => refuseForeignForms(deps, request, reply));
      registerPages(pages, deps);
    });
  });
}

function registerPages(pages: FastifyInstance, deps: PortalScopeDeps): void {
  addPortalHandOff(pages, deps);
  addSignInPages(pages, deps);
  addForgotPassword(pages, deps);
  addSetPassword(pages, deps);
  addPortalPages(pages, deps);
  registerAdministration(pages, administrationDeps(deps));
  deps.addToPortal?.(pages);
}

/** Who asks. A session may have ended meanwhile without this process knowing: then nobody is let in, and nobody is signed out. */
async function findVisitor(deps: PortalScopeDeps, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
  request.signedIn = await deps.sessions.read(request.headers.cookie, deps.catalogue.portal.host);
  if (!request.signedIn) return;
  if (!deps.rightsAreFresh()) return deps.answers.problem(request, reply, 'rights-not-known');
  request.visitor = await visitorFrom(deps, request.signedIn);
}

async function visitorFrom({ policies }: PortalScopeDeps, session: Session): Promise<Visitor> {
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
