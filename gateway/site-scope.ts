import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Page, Site } from '#config/catalogue.ts';
import type { Decision } from '#policies/decision.ts';
import type { Answers } from './answers.ts';
import { splitTarget } from './canonical-path.ts';
import { isPartOfPage, wantsJson } from './client.ts';
import type { Counts } from './counts.ts';
import { addForwarding, type ForwardDeps } from './forwarding/forward.ts';
import { isHandshake, tunnel } from './forwarding/upgrade.ts';
import { addSiteHandOff, sendToPortal } from './hand-off.ts';
import { addKeptFormPage, type KeptFormDeps, keepOrLose, keptFormPressed, putKeptForm } from './kept-form.ts';
import { inviteBody } from './server.ts';
import type { Session } from './sessions.ts';
import type { Found, Sites } from './sites.ts';

declare module 'fastify' {
  interface FastifyRequest {
    site: Site | null;
    page: Page | null;
    signedIn: Session | null;
  }
}

export type SiteScopeDeps = KeptFormDeps & ForwardDeps & { answers: Answers; counts: Counts };

/** What a request to a legacy host meets, in order: which page it is, who asks, whether they may, and then the page itself. */
export async function addSites(app: FastifyInstance, deps: SiteScopeDeps): Promise<void> {
  await app.register(async scope => {
    // Bytes of legacy forms, uploads and JSON go through untouched: nothing here may parse them.
    scope.removeAllContentTypeParsers();
    scope.addHook('onRoute', route => {
      route.constraints = { ...route.constraints, place: 'site' };
    });
    scope.addHook('onRequest', (request, reply, next) => {
      const place = deps.sites.place(request.headers.host);
      if (place.kind !== 'site') return void deps.answers.problem(request, reply, 'unknown-host');
      request.site = place.site;
      if (request.routeOptions.config.rule !== 'page') return next();
      const found = deps.sites.find(place.site, splitTarget(request.url).path);
      if (!('page' in found)) return notAPage(deps, found, request, reply);
      if (leadsElsewhere(deps.sites, place.site, found.page, request)) return void deps.answers.problem(request, reply, 'bad-request');
      judge(deps, place.site, found.page, request, reply, next);
    });
    scope.addHook('onRequest', (request, reply, next) => {
      const { site, page } = request;
      if (page && route.refuses(request, reply)) return;
      if (page && isHandshake(request)) return tunnel(request, reply, route);
      inviteBody(request, reply);
      // Not before: a kept form is taken once, and a service that is closed must not cost it.
      const kept = site && page ? keptFormPressed(request, site) : null;
      if (site && kept !== null) replace(deps, { site, kept }, request, reply, next);
      else next();
    });
    // An answer of ours instead of the legacy server's: whoever reads it may press again at once.
    scope.addHook('onSend', async request => request.keptForm?.giveBack());
    addSiteHandOff(scope, deps);
    addKeptFormPage(scope, deps);
    const route = await addForwarding(scope, deps);
  });
}

function notAPage({ answers, catalogue }: SiteScopeDeps, found: Found, request: FastifyRequest, reply: FastifyReply): void {
  if ('portalPath' in found) reply.redirect(catalogue.portal.origin + found.portalPath, 302);
  else answers.problem(request, reply, 'refused' in found ? 'bad-request' : 'not-found');
}

/** WebDAV's COPY and MOVE name a second address (RFC 4918 §10.3). One request is judged for one page, so both must be of it. */
function leadsElsewhere(sites: Sites, site: Site, page: Page, { headers: { destination } }: FastifyRequest): boolean {
  if (destination === undefined) return false;
  const address = /^(?:https?:\/\/([^/?#]*))?(\/.*)$/is.exec(String(destination));
  const place = sites.place(address?.[1] ?? site.host);
  const found = sites.find(site, splitTarget(address?.[2] ?? '').path);
  return place.kind !== 'site' || place.site !== site || !('page' in found) || found.page !== page;
}

type Next = (error?: Error) => void;

/** Who asks, and whether they may. Known sessions and rules are in memory, and then nothing here waits: a promise would cost as much as judging. */
function judge(deps: SiteScopeDeps, site: Site, page: Page, request: FastifyRequest, reply: FastifyReply, next: Next): void {
  if (isHandshake(request) && isForeign(request, site)) return void deps.answers.problem(request, reply, 'form-from-elsewhere');
  request.page = page;
  whenKnown(deps.sessions.read(request.headers.cookie, site.host), next, session => {
    request.signedIn = session;
    whenKnown(deps.guard(site, page, session), next, decision => carryOut(deps, { decision, site, page, session }, request, reply, next));
  });
}

/** At once if it is known; a failure to find out ends the request, it never lets it through. */
function whenKnown<T>(value: T | Promise<T>, next: Next, then: (value: T) => void): void {
  if (value instanceof Promise) value.then(then).catch(next);
  else then(value);
}

type Judged = { decision: Decision; site: Site; page: Page; session: Session | null };

function carryOut(deps: SiteScopeDeps, judged: Judged, request: FastifyRequest, reply: FastifyReply, next: Next): void {
  const { decision, site, page, session } = judged;
  deps.counts.judged(page, decision);
  if (decision.outcome !== 'allow') {
    if (session) deps.answers.denied(request, reply, { decision, site, page, session }).catch(next);
    else askToSignIn(deps, judged, request, reply).catch(next);
    return;
  }
  // An old login form must never send a password on: its address leads straight to where the login used to lead.
  if (page.target !== null) return void toTarget(page.target, request, reply);
  if (isHandshake(request)) deps.live.add(request, request.raw.socket);
  next();
}

function replace(
  deps: SiteScopeDeps,
  { site, kept }: { site: Site; kept: number },
  request: FastifyRequest,
  reply: FastifyReply,
  next: Next,
): void {
  whenKnown(putKeptForm(deps, site, kept, request, reply), next, problem => {
    if (problem) deps.answers.problem(request, reply, problem);
    else next();
  });
}

const toTarget = (target: string, request: FastifyRequest, reply: FastifyReply) =>
  reply.header('cache-control', 'no-store').redirect(target + splitTarget(request.url).query, request.method === 'GET' ? 302 : 303);

/** Browsers let any website open a WebSocket and send our cookie with it (CVE-2026-133111). */
const isForeign = ({ headers }: FastifyRequest, site: Site) => headers.origin !== undefined && headers.origin !== site.origin;

async function askToSignIn(
  deps: SiteScopeDeps,
  { site, page }: Judged,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  if (isHandshake(request) || (wantsJson(request.headers) && !isPartOfPage(request.method, request.headers)))
    return deps.answers.signInNeeded(request, reply, `${deps.catalogue.portal.origin}/sign-in`);
  // An old login form holds a password, and nobody misses it: its address leads on to the page itself.
  if (request.method !== 'POST' || page.target !== null) return sendToPortal(deps, site, request, reply);
  return keepOrLose(deps, site, request, reply);
}
