import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { sayTime } from '#config/calendar.ts';
import { lastTextFailed } from '#store/outbox.ts';
import { person as personById } from '#store/people.ts';
import { numberBeingRegistered, pendingCode } from '#store/security-codes.ts';
import type { PersonRow, Reader } from '#store/tables.ts';
import { type FieldError, field, fieldOf, longField } from '#views/forms.ts';
import { visitorOf } from '#views/visitor.ts';
import { hubAddress, withReturn } from '../addresses.ts';
import type { AdminDeps } from '../deps.ts';
import { freshSince } from '../step-up.ts';
import { purposeFor, type Sent, sendCode } from './codes.ts';
import { type Confirmation, confirmCode } from './confirmation.ts';
import { endingOf } from './phone-number.ts';
import { phoneCrumbs, sayTooMany } from './security-phone.ts';

const form = z.object({ code: field, return: longField });

/** The code sent by text message: asking for one, and entering it. Looking at the page sends nothing. */
export function registerSecurityCode(scope: FastifyInstance, deps: AdminDeps): void {
  scope.get('/security-code', async (request, reply) => {
    const place = placeAfter(deps, request, fieldOf(request.query, 'return', longField));
    const since = await freshSince(deps.store.db, visitorOf(request).sessionId, deps);
    if (since !== null) return reply.redirect(place, 303);
    return show(deps, request, reply, place, []);
  });

  scope.post('/security-code', async (request, reply) => {
    const typed = form.parse(request.body ?? {});
    const place = placeAfter(deps, request, typed.return);
    const read = readCode(typed.code);
    if ('fault' in read) return show(deps, request, reply.code(422), place, [{ field: 'code', text: read.fault }]);
    const result = await confirmCode(deps, visitorOf(request), read.code);
    if (result.outcome === 'right') {
      deps.deliverSoon();
      return reply.redirect(place, 303);
    }
    if (result.outcome === 'nothing-sent') return reply.redirect(withReturn('/security-phone', place), 303);
    if (result.outcome === 'expired') deps.deliverSoon();
    return show(deps, request, reply.code(422), place, [{ field: 'code', text: say(result, deps) }]);
  });

  scope.post('/security-code/new', async (request, reply) => {
    const place = placeAfter(deps, request, form.parse(request.body ?? {}).return);
    const sent = await sendAnother(deps, request);
    if (sent === null) return reply.redirect(withReturn('/security-phone', place), 303);
    if (sent.outcome === 'too-many')
      return show(deps, request, reply.code(422), place, [{ field: '', text: sayTooMany(sent, deps.now()) }]);
    deps.deliverSoon();
    return reply.redirect(withReturn('/security-code', place), 303);
  });
}

/** Codes come as "123 456" or "123-456" when they are read off a phone or pasted. */
function readCode(typed: string): { code: string } | { fault: string } {
  const code = typed.normalize('NFKC').replace(/[\s\p{Cf}\-‐-―]/gu, '');
  if (code === '') return { fault: 'Enter the 6 digit code' };
  return /^[0-9]{6}$/.test(code) ? { code } : { fault: 'The code must be 6 numbers' };
}

function say(result: Exclude<Confirmation, { outcome: 'right' | 'nothing-sent' }>, { settings, now }: AdminDeps): string {
  if (result.outcome === 'wrong') return 'The code is not correct. Check the text message and try again';
  if (result.outcome === 'expired')
    return result.again.outcome === 'sent' ? 'The code has expired. We have sent a new one' : sayTooMany(result.again, now());
  return `You have entered too many wrong codes. Wait ${settings.signIn.waitMinutes} minutes, then get a new code`;
}

/** Where the person wanted to go; the administration of the organisation they work in when nothing says where. */
function placeAfter(deps: AdminDeps, request: FastifyRequest, asked: string): string {
  const place = deps.returnPath(asked);
  const { administers, organisation } = visitorOf(request);
  return place === '/' && administers && organisation ? hubAddress(organisation.id) : place;
}

function sendAnother(deps: AdminDeps, request: FastifyRequest): Promise<Sent | null> {
  const { personId, sessionId } = visitorOf(request);
  return deps.store.change(async tx => {
    const person = await personById(tx, personId);
    const phone = person && (await numberOf(tx, person, sessionId));
    if (!phone) return null;
    return sendCode(tx, deps, { person: personId, session: sessionId, purpose: purposeFor(person), phone, now: deps.now() });
  });
}

async function numberOf(db: Reader, person: PersonRow, session: number): Promise<string | null> {
  return person.security_phone ?? numberBeingRegistered(db, person.id, session);
}

async function show(
  deps: AdminDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  place: string,
  errors: FieldError[],
): Promise<FastifyReply> {
  const { personId, sessionId } = visitorOf(request);
  const { db } = deps.store;
  const person = await personById(db, personId);
  const phone = person && (await numberOf(db, person, sessionId));
  if (!phone) return reply.redirect(withReturn('/security-phone', place), 303);
  const purpose = purposeFor(person);
  const pending = await pendingCode(db, { person: personId, session: sessionId, purpose, now: deps.now() });
  return reply.page('admin-ui/security-phone/confirm-code', {
    title: 'Confirm code',
    crumbs: phoneCrumbs,
    // Without a code to enter there is no box for the summary to lead to.
    errors: pending ? errors : errors.map(({ text }) => ({ field: '', text })),
    place,
    ending: endingOf(phone),
    sentAt: pending ? sayTime(pending.createdAt) : null,
    minutes: deps.settings.code.minutes,
    registering: purpose === 'register-phone',
    anotherNumber: withReturn('/security-phone', place),
    failed: !pending && (await lastTextFailed(db, personId)),
  });
}
