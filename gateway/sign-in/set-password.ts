import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import { tell } from '#notify/tell.ts';
import { append } from '#store/activity.ts';
import type { Store } from '#store/database.ts';
import { setPassword } from '#store/identities.ts';
import { findLink, linkIsLive, takeLink } from '#store/links.ts';
import { person } from '#store/people.ts';
import { endSessions } from '#store/sessions.ts';
import type { LinkPurpose, PersonRow } from '#store/tables.ts';
import type { Hashing } from './hashing.ts';
import { passwordFault } from './password-rules.ts';

/**
 * Choosing a password by a one-time link. Opening the link changes nothing, so that a mail scanner cannot use it up. The portal's
 * `same-origin` keeps the link from other hosts; with `no-referrer` browsers post the form with `Origin: null`, which is refused.
 */
export type SetPasswordDeps = { store: Store; hashing: Hashing; deliverSoon(): void; now: () => number };

const link = z.object({ token: z.string().regex(/^[A-Za-z0-9_-]{43}$/) });

/** The page behind an invitation or a reset, and its form. */
export function addSetPassword(portal: FastifyInstance, deps: SetPasswordDeps): void {
  portal.get('/set-password', { config: { rule: 'public' } }, async (request, reply) => {
    const query = link.safeParse(request.query);
    const found = await findLive(deps, query.success ? query.data.token : null);
    return 'owner' in found ? showForm(reply, found) : showExpired(reply, found);
  });

  portal.post('/set-password', { config: { rule: 'public' } }, async (request, reply) => {
    const body = link.safeParse(request.body);
    const found = await findLive(deps, body.success ? body.data.token : null);
    if (!('owner' in found)) return showExpired(reply, found);
    const { password } = request.body as { password?: unknown };
    const fault = await passwordFault(found.owner, password);
    if (fault) return showForm(reply.code(422), found, [{ field: 'password', text: fault }]);
    if (!(await changePassword(deps, found, String(password)))) return showExpired(reply, found);
    deps.deliverSoon();
    return reply.redirect('/sign-in?reason=password-set', 303);
  });
}

type Live = { token: string; purpose: LinkPurpose; owner: PersonRow };

/** The link's owner while it works; otherwise only what it was for, so that the page can say how to get another. */
async function findLive({ store, now }: SetPasswordDeps, token: string | null): Promise<Live | { purpose: LinkPurpose }> {
  const found = token === null ? undefined : await findLink(store.db, token);
  const owner = found && linkIsLive(found, now()) ? await person(store.db, found.person_id) : undefined;
  const purpose = found?.purpose ?? 'reset';
  return token !== null && owner?.active === 1 ? { token, purpose, owner } : { purpose };
}

const showForm = (reply: FastifyReply, { token, purpose, owner }: Live, errors: { field: string; text: string }[] = []) =>
  reply.page('gateway/sign-in/set-password', { token, purpose, email: owner.email ?? '', errors });
const showExpired = (reply: FastifyReply, { purpose }: { purpose: LinkPurpose }) =>
  reply.code(410).page('gateway/sign-in/link-expired', { purpose });

/** One transaction: the link is used, the password set, every session ended, and the owner told. */
async function changePassword(
  { store, hashing, now }: SetPasswordDeps,
  { token, purpose, owner }: Live,
  password: string,
): Promise<boolean> {
  const passwordHash = await hashing.hash(password);
  const at = now();
  return store.change(async tx => {
    const taken = await takeLink(tx, token, purpose, at);
    if (taken !== owner.id || !(await setPassword(tx, owner.id, passwordHash, at))) return false;
    const activity = await append(tx, { kind: 'password-set', at, actor: owner.id, person: owner.id, data: { purpose } });
    await endSessions(tx, { person: owner.id }, { reason: 'password-set', by: owner.id, now: at });
    await tell(tx, owner, 'password-changed', { at }, { activity, now: at });
    return true;
  });
}
