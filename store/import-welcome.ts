import { append } from './activity.ts';
import type { Change } from './database.ts';
import { addLink } from './links.ts';
import { amend, enqueue } from './outbox.ts';

/** How an import tells its new administrators. */
export type Welcoming = {
  now: number;
  /**
   * The welcome of an administrator without a password carries a link: its seal, its address and how long it lives. The address is
   * null where no e-mail goes out: a link that waits for a mail server may be dead when it is read, so the caller hands one over.
   */
  sealKey: Uint8Array;
  linkAddress: ((token: string) => string) | null;
  invitationMs: number;
};

export type Appointed = { organisation: number; person: number; email: string; activity: number; needsPassword: boolean };

type Told = { organisation: string; alsoFor: string[]; by: null; at: number; linkExpiresAt: number | null };

/** What one import has told each person so far. */
export type Welcomed = Map<number, { message: number; data: Told }>;

/**
 * Welcomes a new administrator. Whoever is appointed in several organisations by one import is told of them in one message, because
 * a second link would end the first.
 */
export async function welcome(tx: Change, appointed: Appointed, welcomed: Welcomed, welcoming: Welcoming): Promise<void> {
  const { person, organisation } = appointed;
  const { name } = await tx.selectFrom('organisations').select('name').where('id', '=', organisation).executeTakeFirstOrThrow();
  const before = welcomed.get(person);
  if (before) {
    const data = { ...before.data, alsoFor: [...before.data.alsoFor, name] };
    if (await amend(tx, before.message, data)) {
      welcomed.set(person, { ...before, data });
      return;
    }
  }
  const data: Told = { organisation: name, alsoFor: [], by: null, at: welcoming.now, linkExpiresAt: null };
  // A first message that is on its way has the link, and it must go on working.
  const link = before ? null : await linkFor(tx, appointed, welcoming);
  data.linkExpiresAt = link?.expiresAt ?? null;
  welcomed.set(person, { message: await send(tx, appointed, data, link, welcoming), data });
}

type Link = { address: string; expiresAt: number };

async function linkFor(tx: Change, { organisation, person, needsPassword }: Appointed, welcoming: Welcoming): Promise<Link | null> {
  const { now, linkAddress, invitationMs } = welcoming;
  if (!needsPassword || linkAddress === null) return null;
  const expiresAt = now + invitationMs;
  const token = await addLink(tx, { person, purpose: 'invitation', expiresAt, now });
  await append(tx, { at: now, kind: 'link-made', organisation, person, data: { purpose: 'invitation' } });
  return { address: linkAddress(token), expiresAt };
}

function send(tx: Change, { person, email, activity }: Appointed, data: Told, link: Link | null, { now, sealKey }: Welcoming) {
  const message = { channel: 'email', recipient: email, template: 'administrator-welcome', data, person, activity, now } as const;
  if (!link) return enqueue(tx, message);
  return enqueue(tx, { ...message, secrets: { key: sealKey, values: { link: link.address } }, expiresAt: link.expiresAt });
}
