import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Catalogue, Site } from '#config/catalogue.ts';
import { reservedPrefix } from '#config/catalogue-addresses.ts';
import type { Store } from '#store/database.ts';
import { addHandoff, meantPath, takeHandoff } from '#store/handoff.ts';
import { addToken } from '#store/sessions.ts';
import { hashToken, newToken } from '#store/tokens.ts';
import { signInAddress } from './addresses.ts';
import type { Answers } from './answers.ts';
import { wantsJson } from './client.ts';
import type { Cookies } from './cookies.ts';
import type { ReturnAddresses } from './return-address.ts';

/**
 * How a session of the portal becomes one on a site's own host. The site gives the browser a nonce and sends it to the portal; the
 * portal writes a code that works once, for 30 seconds, for that host, nonce and session, and sends the browser back with it.
 * No secret that works twice stands in an address (RFC 9700 §4.2), and a code without its nonce's cookie is worth nothing.
 */
export type HandOffDeps = {
  store: Store;
  catalogue: Catalogue;
  cookies: Cookies;
  returnAddress: ReturnAddresses;
  answers: Answers;
  now: () => number;
};

const PORTAL_PATH = '/sign-in/site';
const SITE_PATH = `${reservedPrefix}/session`;

/** Where to come back to, if not to the very address, and what became of the form that was sent there. */
export type Detour = { path?: string; form?: 'kept' | 'lost' };

/** On a site without a session: remember the browser by a nonce and let the portal say who it is. */
export function sendToPortal(
  deps: HandOffDeps,
  site: Site,
  request: FastifyRequest,
  reply: FastifyReply,
  { path = request.url, form }: Detour = {},
): FastifyReply {
  // One nonce serves all tabs of a browser, so that opening two pages at once does not break the first.
  const nonce = deps.cookies.read(request.headers.cookie, 'handoff') ?? newToken();
  deps.cookies.set(reply, 'handoff', nonce);
  const question = new URLSearchParams({ to: site.origin + path, nonce: hashToken(nonce), ...(form ? { form } : {}) });
  return reply
    .header('cache-control', 'no-store')
    .redirect(`${deps.catalogue.portal.origin}${PORTAL_PATH}?${question}`, request.method === 'GET' ? 302 : 303);
}

const portalQuery = z.object({
  to: z.string(),
  nonce: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  form: z.enum(['kept', 'lost']).optional(),
});
const siteQuery = z.object({ code: z.string().regex(/^[A-Za-z0-9_-]{43}$/) });

/** The portal's half: signed in, the browser goes back with a code; otherwise to sign in first, and then here again. */
export function addPortalHandOff(portal: FastifyInstance, deps: HandOffDeps): void {
  portal.get(PORTAL_PATH, { config: { rule: 'public' } }, async (request, reply) => {
    const query = portalQuery.safeParse(request.query);
    const to = query.success ? deps.returnAddress(query.data.to) : null;
    if (!query.success || !to || to.portal) return deps.answers.problem(request, reply, 'bad-request');
    const { nonce, form } = query.data;
    if (form === 'lost') return sayFormIsLost(reply, { to: to.href, nonce });
    if (!request.visitor) return askToSignIn(deps, request, reply, form);

    const code = await addHandoff(deps.store.db, {
      session: request.visitor.sessionId,
      host: to.host,
      nonceHash: nonce,
      returnPath: to.path,
      now: deps.now(),
    });
    // A picture of one site on a page of another comes this way too, and by default helmet keeps such answers from it.
    reply.header('cross-origin-resource-policy', 'same-site');
    return reply.redirect(`${new URL(to.href).origin}${SITE_PATH}?${new URLSearchParams({ code })}`, 303);
  });
}

/** The page of sign-in is nothing that can be shown as a picture or run as a script. */
function askToSignIn(deps: HandOffDeps, request: FastifyRequest, reply: FastifyReply, form: Detour['form']): FastifyReply {
  if (wantsJson(request.headers)) return deps.answers.signInNeeded(request, reply, `${deps.catalogue.portal.origin}/sign-in`);
  return reply.redirect(signInAddress(request.url, form === 'kept' ? 'form-kept' : undefined), 302);
}

/** Said before anything else: by going back now the browser still has what was filled in. */
const sayFormIsLost = (reply: FastifyReply, way: { to: string; nonce: string }): FastifyReply =>
  reply.page('gateway/portal/form-lost', { next: `${PORTAL_PATH}?${new URLSearchParams(way)}` });

/**
 * Of several pages opened at once only the last nonce is left in the browser, and a reload brings a used code. Nobody is signed in
 * by this: the browser goes to the page it wanted, where it has a session by now or asks again with the nonce it has.
 */
async function startAgain(
  deps: HandOffDeps,
  site: Site,
  request: FastifyRequest,
  reply: FastifyReply,
  code: string,
): Promise<FastifyReply> {
  const path = await meantPath(deps.store.db, code, site.host);
  if (path === undefined) return deps.answers.problem(request, reply, 'hand-off-failed');
  return reply.header('cache-control', 'no-store').redirect(site.origin + path, 303);
}

/** The site's half: the code is taken, once, and the host gets a token of its own. */
export function addSiteHandOff(sites: FastifyInstance, deps: HandOffDeps): void {
  sites.get(SITE_PATH, { config: { rule: 'public' } }, async (request, reply) => {
    const site = request.site;
    const query = siteQuery.safeParse(request.query);
    const nonce = deps.cookies.read(request.headers.cookie, 'handoff');
    if (!site || !query.success || nonce === null) return deps.answers.problem(request, reply, 'hand-off-failed');

    const now = deps.now();
    const handedOver = await deps.store.change(async tx => {
      const taken = await takeHandoff(tx, { code: query.data.code, host: site.host, nonceHash: hashToken(nonce), now });
      return taken && { token: await addToken(tx, { session: taken.session, host: site.host, now }), returnPath: taken.returnPath };
    });
    if (!handedOver) return startAgain(deps, site, request, reply, query.data.code);
    deps.cookies.set(reply, 'session', handedOver.token);
    return reply.header('cache-control', 'no-store').redirect(site.origin + handedOver.returnPath, 303);
  });
}
