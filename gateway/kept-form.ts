import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Site } from '#config/catalogue.ts';
import { reservedPrefix } from '#config/catalogue-addresses.ts';
import { record } from '#store/events.ts';
import { dropKeptForm, findKeptForm, giveBackKeptForm, type KeptForm, keepForm, takeKeptForm, type Which } from '#store/kept-forms.ts';
import { findSession } from '#store/sessions.ts';
import { hashToken } from '#store/tokens.ts';
import { splitTarget } from './canonical-path.ts';
import { comesFromElsewhere, type FormTokens } from './csrf.ts';
import { smallBody } from './forwarding/request-body.ts';
import type { Guard } from './guard.ts';
import { type Detour, type HandOffDeps, sendToPortal } from './hand-off.ts';
import type { Keys } from './keys.ts';
import type { ProblemCode } from './problems.ts';
import { inviteBody } from './server.ts';
import type { Session, Sessions } from './sessions.ts';
import type { Sites } from './sites.ts';

/**
 * A form that was sent when its person's session had ended is kept for them, sealed, and sent once they have signed in again and say so.
 * They say so by a button on a page of the site, which posts to the form's own address: there the ordinary judging happens, the kept
 * bytes go in the place of the button's, and whatever the legacy server answers stands at the address its links are relative to.
 */
export type KeptFormDeps = HandOffDeps & {
  sites: Sites;
  sessions: Sessions;
  guard: Guard;
  formTokens: FormTokens;
  keys: Pick<Keys, 'keptForm'>;
};

/** A kept form in the place of the request that was pressed. */
export type PutForm = {
  body: Buffer;
  /** The legacy server is being given it: from now on nobody knows whether it has it. */
  sent(): void;
  /** Keeps it again, for another press, unless it was sent. Harmless when said twice. */
  giveBack(): Promise<void>;
};

declare module 'fastify' {
  interface FastifyRequest {
    /** What is forwarded instead of the body that came. */
    keptForm: PutForm | null;
  }
}

const KEPT_PATH = `${reservedPrefix}/form`;
const MOST_BYTES = 64 * 1024;
const MOST_OF_BUTTON = 1024;
// The three that a form without a script can send (HTML, "form submission").
const FORM_TYPES = /^(?:application\/x-www-form-urlencoded|multipart\/form-data|text\/plain)(?:;|$)/i;

/** For a form that nobody is signed in for: keeps it if it may, and leads to the portal; from there to what became of it. */
export async function keepOrLose(deps: KeptFormDeps, site: Site, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  return sendToPortal(deps, site, request, reply, await detourOf(deps, site, request, reply));
}

async function detourOf(deps: KeptFormDeps, site: Site, request: FastifyRequest, reply: FastifyReply): Promise<Detour> {
  // The session ended once more while they looked at the button: what was kept still is.
  const again = keptFormPressed(request, site);
  if (again !== null) return { path: pathOf(again), form: 'kept' };
  const id = await keep(deps, site, request, reply);
  return id === null ? { form: 'lost' } : { path: pathOf(id), form: 'kept' };
}

const pathOf = (id: number): string => `${KEPT_PATH}?id=${id}`;

async function keep(deps: KeptFormDeps, site: Site, request: FastifyRequest, reply: FastifyReply): Promise<number | null> {
  const nonce = deps.cookies.read(request.headers.cookie, 'handoff');
  if (nonce === null || !mayBeKept(request, site)) return null;
  const ended = await endedSession(deps, site, request);
  if (!ended) return null;
  inviteBody(request, reply);
  const body = await smallBody(request, MOST_BYTES);
  if (!body) return null;
  const { referer = null, 'content-type': contentType = '' } = request.headers;
  const form = { address: request.url, contentType, referer, body };
  const now = deps.now();
  const holder = { person: ended.person.id, host: site.host, nonceHash: hashToken(nonce) };
  const id = await keepForm(deps.store.db, deps.keys.keptForm[0], holder, form, now);
  await record(deps.store.db, { kind: 'form-kept', at: now, person: ended.person.id, session: ended.sessionId });
  return id;
}

/** Only what a page of this very site sent, and only if the browser says so itself: a foreign page's form must not wait for a press. */
function mayBeKept(request: FastifyRequest, site: Site): boolean {
  const { origin, 'sec-fetch-site': from, 'content-type': type = '', 'content-encoding': encoding } = request.headers;
  const saysWhere = origin !== undefined || from !== undefined;
  return saysWhere && !comesFromElsewhere(request, site.origin) && FORM_TYPES.test(type) && encoding === undefined;
}

/**
 * Whose session the browser still holds. Not after signing out: who does that has left, and what is sent afterwards at that computer
 * may be somebody else's words, which nobody reads again before they are sent under the first one's name.
 */
async function endedSession({ cookies, store }: KeptFormDeps, site: Site, request: FastifyRequest) {
  const token = cookies.read(request.headers.cookie, 'session');
  const found = token === null ? undefined : await findSession(store.db, hashToken(token), site.host);
  return found && found.endReason !== 'signed-out' ? found : null;
}

/** The page with the button. It tells which service a form goes to and when it was filled in, and nothing of what is in it. */
export function addKeptFormPage(sites: FastifyInstance, deps: KeptFormDeps): void {
  sites.get(KEPT_PATH, { config: { rule: 'public' } }, async (request, reply) => {
    const { site } = request;
    const which = site && whichForm(deps, request, site, idIn(splitTarget(request.url).query));
    if (!site || !which) return deps.answers.problem(request, reply, 'kept-form-gone');
    const session = await deps.sessions.read(request.headers.cookie, site.host);
    if (!session) return sendToPortal(deps, site, request, reply, { form: 'kept' });
    const form = await findKeptForm(deps.store.db, deps.keys.keptForm, which);
    if (!form) return deps.answers.problem(request, reply, 'kept-form-gone');
    if (form.person === session.person.id) return askToSend(deps, site, session, form, request, reply);
    await dropKeptForm(deps.store.db, which);
    return reply.header('cache-control', 'no-store').redirect(`${deps.catalogue.portal.origin}/`, 302);
  });
}

/** Judged here too, so that whoever may not send it any more, or only in another organisation, learns it before pressing. */
async function askToSend(
  deps: KeptFormDeps,
  site: Site,
  session: Session,
  form: KeptForm,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const found = deps.sites.find(site, splitTarget(form.address).path);
  if (!('page' in found)) return deps.answers.problem(request, reply, 'not-found');
  const { page } = found;
  const decision = await deps.guard(site, page, session);
  if (decision.outcome !== 'allow') return deps.answers.denied(request, reply, { decision, site, page, session });
  const service = deps.catalogue.services.find(({ id }) => id === page.service) ?? null;
  return deps.answers.question(reply, 'gateway/portal/kept-form', {
    service: service?.fullName ?? null,
    host: site.host,
    action: site.origin + form.address,
    keptAt: form.createdAt,
    goneAt: form.expiresAt,
    start: service?.start ?? `${deps.catalogue.portal.origin}/`,
    csrf: deps.formTokens.of(session.token),
  });
}

function whichForm({ cookies, now }: KeptFormDeps, request: FastifyRequest, site: Site, id: number | null) {
  const nonce = cookies.read(request.headers.cookie, 'handoff');
  return nonce === null || id === null ? null : { id, host: site.host, nonceHash: hashToken(nonce), now: now() };
}

const idIn = (query: string): number | null => Number(/^\?id=([1-9][0-9]{0,14})$/.exec(query)?.[1]) || null;

/**
 * The id of the form whose button this request comes from, by its `Referer`: only our page has that address. So a reload of the answer
 * is known for what it is as well, and neither sends the form twice nor the button's own fields to the legacy server.
 */
export function keptFormPressed({ method, headers: { referer } }: FastifyRequest, site: Site): number | null {
  if (method !== 'POST' || !referer?.startsWith(site.origin + KEPT_PATH)) return null;
  return idIn(referer.slice(site.origin.length + KEPT_PATH.length));
}

/** For a request that was judged and allowed and may be forwarded: puts the kept form in its place, once. Returns what is wrong, or null. */
export async function putKeptForm(
  deps: KeptFormDeps,
  site: Site,
  id: number,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<ProblemCode | null> {
  const { signedIn: session } = request;
  const which = whichForm(deps, request, site, id);
  if (!session || !which) return 'kept-form-gone';
  if (comesFromElsewhere(request, site.origin)) return 'form-from-elsewhere';
  const button = new URLSearchParams((await smallBody(request, MOST_OF_BUTTON))?.toString());
  if (!deps.formTokens.matches(session.token, button.get('_csrf'))) return 'form-expired';

  const waiting = await findKeptForm(deps.store.db, deps.keys.keptForm, which);
  // Whoever presses for another address has not sent this one.
  if (waiting?.address !== request.url) return 'kept-form-gone';
  const form = await takeKeptForm(deps.store.db, deps.keys.keptForm, { ...which, person: session.person.id });
  if (!form) return 'kept-form-gone';
  request.keptForm = putForm(deps, which, form, session, request);
  // Who leaves while the form is still in line gets no answer, and it waits for them.
  reply.raw.once('close', () => void request.keptForm?.giveBack());
  takePlace(request, form);
  return null;
}

function putForm({ store, keys }: KeptFormDeps, which: Which, form: KeptForm, session: Session, request: FastifyRequest): PutForm {
  let held = true;
  const orLog = (error: unknown) => request.log.error({ err: error }, 'what became of a kept form could not be written down');
  return {
    body: form.body,
    sent() {
      held = false;
      const { person, organisation, id } = session;
      const who = { person: person.id, organisation: organisation?.id ?? null, session: id, service: request.page?.service ?? null };
      record(store.db, { kind: 'kept-form-sent', at: which.now, ...who }).catch(orLog);
    },
    async giveBack() {
      if (!held) return;
      held = false;
      await giveBackKeptForm(store.db, keys.keptForm[0], which, form).catch(orLog);
    },
  };
}

function takePlace(request: FastifyRequest, form: KeptForm): void {
  const { headers } = request.raw;
  delete headers['transfer-encoding'];
  headers['content-type'] = form.contentType;
  headers['content-length'] = String(form.body.length);
  // Old applications look where a form came from; ours was only in between.
  if (form.referer === null) delete headers.referer;
  else headers.referer = form.referer;
}
