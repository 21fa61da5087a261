import { setTimeout as wait } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Catalogue } from '#config/catalogue.ts';
import type { Settings } from '#config/settings.ts';
import { tell } from '#notify/tell.ts';
import { append } from '#store/activity.ts';
import { addAttempt, countAttempts } from '#store/attempts.ts';
import type { Store } from '#store/database.ts';
import { isEmailAddress } from '#store/email-address.ts';
import { findIdentity } from '#store/identities.ts';
import { addLink } from '#store/links.ts';
import { subjectKey } from '#store/names.ts';
import { person } from '#store/people.ts';
import { errorsOf, field, fieldOf } from '#views/forms.ts';
import { setPasswordAddress } from '../addresses.ts';

/** Forgotten passwords: each kind of account is told who can help; only registered e-mail addresses get a link from here. */
export type ForgotPasswordDeps = {
  store: Store;
  keys: { seal: Buffer };
  catalogue: Catalogue;
  settings: Pick<Settings, 'resetMinutes'>;
  deliverSoon(): void;
  now: () => number;
};

const LINKS_AN_HOUR = 3;
const SAME_TIME_MS = 300;
const ways = { education: '/forgot-password/education', council: '/forgot-password/council', email: '/forgot-password/email' } as const;
const choice = z.object({ how: z.enum(['education', 'council', 'email'], 'Select how you sign in') });
const NOT_AN_ADDRESS = 'Enter an email address in the correct format, like name@example.com';
const form = z.object({ email: field.transform(text => text.trim()).refine(isEmailAddress, NOT_AN_ADDRESS) });

/** How each kind of account gets a new password. */
export function addForgotPassword(portal: FastifyInstance, deps: ForgotPasswordDeps): void {
  const open = { config: { rule: 'public' } } as const;
  portal.get('/forgot-password', open, async (_request, reply) => reply.page('gateway/sign-in/forgot-password', {}));
  portal.post('/forgot-password', open, async (request, reply) => {
    const chosen = choice.safeParse(request.body);
    if (chosen.success) return reply.redirect(ways[chosen.data.how], 303);
    return reply.code(422).page('gateway/sign-in/forgot-password', { errors: errorsOf(chosen.error) });
  });
  portal.get(ways.education, open, async (_request, reply) => reply.page('gateway/sign-in/forgot-education', {}));
  portal.get(ways.council, open, async (_request, reply) => reply.page('gateway/sign-in/forgot-council', {}));
  portal.get(ways.email, open, async (_request, reply) =>
    reply.page('gateway/sign-in/forgot-email', { email: '', resetMinutes: deps.settings.resetMinutes }),
  );
  portal.post(ways.email, open, async (request, reply) => {
    const parsed = form.safeParse(request.body);
    if (!parsed.success) {
      const page = { email: fieldOf(request.body, 'email'), resetMinutes: deps.settings.resetMinutes, errors: errorsOf(parsed.error) };
      return reply.code(422).page('gateway/sign-in/forgot-email', page);
    }
    // Known or not: the same words after the same time.
    await Promise.all([sendLink(deps, parsed.data.email, request.ip), wait(SAME_TIME_MS)]);
    return reply.page('gateway/sign-in/forgot-sent', { resetMinutes: deps.settings.resetMinutes });
  });
}

async function sendLink(deps: ForgotPasswordDeps, email: string, address: string): Promise<void> {
  const { store, now } = deps;
  const at = now();
  const account = subjectKey(email);
  // Counted with itself, so that several sent side by side see each other.
  await addAttempt(store.db, 'reset', account, at);
  const asked = await countAttempts(store.db, 'reset', account, at - 3_600_000);
  const identity = await findIdentity(store.db, 'local', email);
  const owner = identity && (await person(store.db, identity.person_id));
  if (asked > LINKS_AN_HOUR || !identity || owner?.active !== 1 || !owner.email) return;
  const expiresAt = at + deps.settings.resetMinutes * 60_000;
  await store.change(async tx => {
    const token = await addLink(tx, { person: owner.id, purpose: 'reset', now: at, expiresAt });
    const activity = await append(tx, { kind: 'link-made', at, actor: owner.id, person: owner.id, data: { purpose: 'reset', address } });
    const link = { key: deps.keys.seal, address: setPasswordAddress(deps.catalogue.portal.origin, token), expiresAt };
    await tell(tx, owner, 'password-reset', { userId: identity.subject, linkExpiresAt: expiresAt }, { activity, now: at, link });
  });
  deps.deliverSoon();
}
