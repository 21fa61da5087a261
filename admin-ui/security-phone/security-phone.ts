import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import { sayDay, sayTime } from '#config/calendar.ts';
import { person as personById } from '#store/people.ts';
import { type FieldError, field, fieldOf, longField } from '#views/forms.ts';
import { visitorOf } from '#views/visitor.ts';
import { withReturn } from '../addresses.ts';
import type { AdminDeps } from '../deps.ts';
import { type Sent, sendCode } from './codes.ts';
import { readMobileNumber } from './phone-number.ts';

export const phoneCrumbs = [{ text: 'Your Services Portal account', href: '/' }, { text: 'Register secure number' }];

const form = z.object({ phone: field, return: longField });

/** Setting up a security phone. Whoever has one cannot replace it here: that takes a code, or another administrator. */
export function registerSecurityPhone(scope: FastifyInstance, deps: AdminDeps): void {
  scope.get('/security-phone', async (request, reply) => {
    const place = deps.returnPath(fieldOf(request.query, 'return', longField));
    const person = await personById(deps.store.db, visitorOf(request).personId);
    if (person?.security_phone) return reply.redirect(withReturn('/security-code', place), 303);
    return show(reply, place, '', []);
  });

  scope.post('/security-phone', async (request, reply) => {
    const typed = form.parse(request.body ?? {});
    const place = deps.returnPath(typed.return);
    const read = readMobileNumber(typed.phone);
    if ('fault' in read) return show(reply.code(422), place, typed.phone, [{ field: 'phone', text: read.fault }]);
    const { personId, sessionId } = visitorOf(request);
    const sent = await startRegistration(deps, { person: personId, session: sessionId, phone: read.number });
    if (sent.outcome === 'too-many')
      return show(reply.code(422), place, typed.phone, [{ field: 'phone', text: sayTooMany(sent, deps.now()) }]);
    deps.deliverSoon();
    return reply.redirect(withReturn('/security-code', place), 303);
  });
}

/** What to tell somebody who asked for more codes than the limits allow. */
export function sayTooMany({ after }: Extract<Sent, { outcome: 'too-many' }>, now: number): string {
  const day = sayDay(after) === sayDay(now) ? '' : ` on ${sayDay(after)}`;
  return `You have asked for too many codes. Try again after ${sayTime(after)}${day}`;
}

function startRegistration(deps: AdminDeps, asked: { person: number; session: number; phone: string }): Promise<Sent> {
  return deps.store.change(async tx => {
    const person = await personById(tx, asked.person);
    // Set up in another window meanwhile: the code page asks for a code to that number instead.
    if (person?.security_phone) return { outcome: 'sent' };
    return sendCode(tx, deps, { ...asked, purpose: 'register-phone', now: deps.now() });
  });
}

function show(reply: FastifyReply, place: string, phone: string, errors: FieldError[]): FastifyReply {
  return reply.page('admin-ui/security-phone/enter-number', {
    title: 'Enter your mobile phone number',
    crumbs: phoneCrumbs,
    errors,
    phone,
    place,
  });
}
