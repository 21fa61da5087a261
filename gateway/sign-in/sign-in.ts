import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Catalogue } from '#config/catalogue.ts';
import type { Store } from '#store/database.ts';
import { record } from '#store/events.ts';
import { organisationsOf } from '#store/memberships.ts';
import { setSignedIn } from '#store/people.ts';
import { endSessions, lastOrganisation, startSession } from '#store/sessions.ts';
import type { IdentityKind } from '#store/tables.ts';
import { errorsOf, type FieldError, fieldOf, longField } from '#views/forms.ts';
import type { Answers } from '../answers.ts';
import type { Cookies } from '../cookies.ts';
import type { ReturnAddresses } from '../return-address.ts';
import { type CredentialsDeps, checkCredentials } from './credentials.ts';
import { HashingBusy } from './hashing.ts';

export type SignInPagesDeps = {
  store: Store;
  catalogue: Catalogue;
  cookies: Cookies;
  returnAddress: ReturnAddresses;
  answers: Answers;
  credentials: CredentialsDeps;
  now: () => number;
};

const reasons = ['timed-out', 'signed-out', 'sign-in-needed', 'password-set', 'form-kept'] as const;
const question = z.object({ return: longField, reason: z.enum(reasons).nullable().catch(null) });
const form = z.object({
  user_id: z
    .string('Enter your user ID or email address')
    .trim()
    .min(1, 'Enter your user ID or email address')
    .max(256, 'The user ID or password is not correct'),
  password: z.string('Enter your password').min(1, 'Enter your password').max(1024, 'The user ID or password is not correct'),
  return: longField,
});

const WRONG =
  'The user ID or password is not correct. If you use an Education account, sign in with your user ID, like JSMITH12, not your email address';
const BUSY = 'Many people are signing in at the moment. Wait a minute and try again';
const sayThrottled = (minutes: number) => `You have tried to sign in too many times. Wait ${minutes} minutes and try again`;

/** Signing in and out. The only place that begins a session. */
export function addSignInPages(portal: FastifyInstance, deps: SignInPagesDeps): void {
  portal.get('/sign-in', { config: { rule: 'public' } }, async (request, reply) => {
    const { return: to, reason } = question.parse(request.query);
    if (request.visitor) return reply.redirect(placeAfter(deps, to), 302);
    return showForm(reply, { userId: '', reason: reason ?? (to === '' ? null : 'sign-in-needed'), returnTo: to });
  });

  portal.post('/sign-in', { config: { rule: 'public' } }, async (request, reply) => {
    const parsed = form.safeParse(request.body);
    if (!parsed.success) return showFaults(request, reply, parsed.error);
    const { user_id: name, password, return: to } = parsed.data;
    const checked = await check(deps, { name, password, address: request.ip });
    if (checked.outcome !== 'right') {
      await record(deps.store.db, { kind: 'sign-in-refused', at: deps.now(), data: { outcome: checked.outcome } });
      const text = { wrong: WRONG, throttled: sayThrottled(deps.credentials.limits.waitMinutes), busy: BUSY }[checked.outcome];
      const errors = [{ field: 'user_id', text }];
      return showForm(reply.code(checked.outcome === 'busy' ? 503 : 422), { userId: name, returnTo: to, errors });
    }
    await beginSession(deps, request, reply, checked);
    return reply.redirect(placeAfter(deps, to), 303);
  });

  portal.post('/sign-out', { config: { rule: 'signed-in' } }, async (request, reply) => {
    const { visitor } = request;
    if (visitor)
      await deps.store.change(tx =>
        endSessions(tx, { session: visitor.sessionId }, { reason: 'signed-out', by: visitor.personId, now: deps.now() }),
      );
    deps.cookies.clear(reply, 'session');
    return reply.redirect('/sign-in?reason=signed-out', 303);
  });
}

async function check(deps: SignInPagesDeps, attempt: { name: string; password: string; address: string }) {
  try {
    return await checkCredentials(deps.credentials, attempt);
  } catch (error) {
    if (error instanceof HashingBusy) return { outcome: 'busy' as const };
    throw error;
  }
}

/** A new session with a new token, whatever cookie the browser came with; an older session of this browser ends (no fixation). */
async function beginSession(
  deps: SignInPagesDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  who: { person: number; kind: IdentityKind },
): Promise<void> {
  const now = deps.now();
  const before = request.visitor;
  const token = await deps.store.change(async tx => {
    if (before) await endSessions(tx, { session: before.sessionId }, { reason: 'signed-in-again', by: before.personId, now });
    const organisations = await organisationsOf(tx, who.person);
    const last = await lastOrganisation(tx, who.person);
    const organisation = organisations.find(({ id }) => id === last) ?? organisations[0];
    const started = await startSession(tx, {
      person: who.person,
      organisation: organisation?.id ?? null,
      kind: who.kind,
      host: deps.catalogue.portal.host,
      address: request.ip,
      agent: request.headers['user-agent'] ?? '',
      now,
    });
    await setSignedIn(tx, who.person, now);
    return started.token;
  });
  deps.cookies.set(reply, 'session', token);
  // What stood for this browser before is over with it: kept, its form token would work again once the person has signed out.
  deps.cookies.clear(reply, 'form');
}

/** Back to the very address, if it is one of ours; never to the sign-in page itself. */
function placeAfter({ returnAddress }: SignInPagesDeps, to: string): string {
  const place = returnAddress(to)?.location ?? '/';
  return /^\/sign-(in|out)(\?|$)/.test(place) ? '/' : place;
}

type FormPage = { userId: string; returnTo: string; reason?: (typeof reasons)[number] | null; errors?: FieldError[] };

const showForm = (reply: FastifyReply, page: FormPage) => reply.page('gateway/sign-in/sign-in', { reason: null, ...page });

function showFaults(request: FastifyRequest, reply: FastifyReply, error: z.ZodError): FastifyReply {
  const page = { userId: fieldOf(request.body, 'user_id'), returnTo: fieldOf(request.body, 'return', longField), errors: errorsOf(error) };
  return showForm(reply.code(422), page);
}
