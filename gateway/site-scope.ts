import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Page, Site } from '#config/catalogue.ts';
import type { Answers } from './answers.ts';
import { splitTarget } from './canonical-path.ts';
import { wantsJson } from './client.ts';
import { addForwarding, type ForwardDeps } from './forward.ts';
import type { Guard } from './guard.ts';
import { addSiteHandOff, type HandOffDeps, sendToPortal } from './hand-off.ts';
import type { Session, Sessions } from './sessions.ts';
import type { Sites } from './sites.ts';
import { isHandshake, tunnel } from './upgrade.ts';

declare module 'fastify' {
  interface FastifyRequest {
    site: Site | null;
    page: Page | null;
    signedIn: Session | null;
  }
}

export type SiteScopeDeps = HandOffDeps & ForwardDeps & { sites: Sites; sessions: Sessions; guard: Guard; answers: Answers };

/** What a request to a legacy host meets, in order: which page it is, who asks, whether they may, and then the page itself. */
export async function addSites(app: FastifyInstance, deps: SiteScopeDeps): Promise<void> {
  await app.register(async scope => {
    // Bytes of legacy forms, uploads and JSON go through untouched: nothing here may parse them.
    scope.removeAllContentTypeParsers();
    scope.addHook('onRoute', route => {
      route.constraints = { ...route.constraints, place: 'site' };
    });
    scope.addHook('onRequest', async (request, reply) => {
      const place = deps.sites.place(request.headers.host);
      if (place.kind !== 'site') return deps.answers.problem(request, reply, 'unknown-host');
      request.site = place.site;
      if (request.routeOptions.config.rule === 'page') return judge(deps, place.site, request, reply);
    });
    scope.addHook('onRequest', (request, reply, next) => (request.page && isHandshake(request) ? tunnel(request, reply, route) : next()));
    addSiteHandOff(scope, deps);
    const route = await addForwarding(scope, deps);
  });
}

async function judge(deps: SiteScopeDeps, site: Site, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
  const { path, query } = splitTarget(request.url);
  const found = deps.sites.find(site, path);
  if ('refused' in found) return deps.answers.problem(request, reply, 'bad-request');
  if ('portalPath' in found) return reply.redirect(deps.catalogue.portal.origin + found.portalPath, 302);
  if ('missing' in found) return deps.answers.problem(request, reply, 'not-found');
  if (isHandshake(request) && isForeign(request, site)) return deps.answers.problem(request, reply, 'form-from-elsewhere');

  const { page } = found;
  request.page = page;
  request.signedIn = await deps.sessions.read(request.headers.cookie, site.host);
  const decision = await deps.guard(site, page, request.signedIn);
  if (decision.outcome === 'sign-in') return askToSignIn(deps, site, request, reply);
  if (decision.outcome !== 'allow') return deps.answers.denied(request, reply, { decision, site, page, session: request.signedIn! });
  // An old login form must never send a password on: its address leads straight to where the login used to lead.
  if (page.target !== null)
    return reply.header('cache-control', 'no-store').redirect(page.target + query, request.method === 'GET' ? 302 : 303);
  if (isHandshake(request)) deps.live.add(request, () => request.raw.socket.destroy());
}

/** Browsers let any website open a WebSocket and send our cookie with it (CVE-2026-133111). */
const isForeign = ({ headers }: FastifyRequest, site: Site) => headers.origin !== undefined && headers.origin !== site.origin;

function askToSignIn(deps: SiteScopeDeps, site: Site, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (isHandshake(request) || wantsJson(request.headers))
    return deps.answers.signInNeeded(request, reply, `${deps.catalogue.portal.origin}/sign-in`);
  return sendToPortal(deps, site, request, reply.header('cache-control', 'no-store'));
}
