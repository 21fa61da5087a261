import { appendAll } from './activity.ts';
import type { Change } from './database.ts';
import { addLinks } from './links.ts';
import { amend, enqueueAll } from './outbox.ts';

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
 * Welcomes new administrators, different people. Whoever is appointed in several organisations by one import is told of them in one
 * message, because a second link would end the first.
 */
export async function welcome(tx: Change, appointed: readonly Appointed[], welcomed: Welcomed, welcoming: Welcoming): Promise<void> {
  const names = await namesOf(tx, appointed);
  const untold: Appointed[] = [];
  for (const one of appointed) if (!(await tellAlso(tx, one, names.get(one.organisation)!, welcomed))) untold.push(one);
  const links = await linksFor(
    tx,
    // A first message that is on its way has the link, and it must go on working.
    untold.filter(({ person, needsPassword }) => needsPassword && !welcomed.has(person)),
    welcoming,
  );
  const messages = untold.map(one => messageTo(one, names.get(one.organisation)!, links.get(one.person), welcoming));
  const ids = await enqueueAll(tx, messages);
  for (const [index, { person }] of untold.entries()) welcomed.set(person, { message: ids[index]!, data: messages[index]!.data });
}

async function namesOf(tx: Change, appointed: readonly Appointed[]): Promise<Map<number, string>> {
  if (appointed.length === 0) return new Map();
  const ids = [...new Set(appointed.map(({ organisation }) => organisation))];
  const rows = await tx.selectFrom('organisations').select(['id', 'name']).where('id', 'in', ids).execute();
  return new Map(rows.map(({ id, name }) => [id, name]));
}

/** Says it in the message the person gets already; false if there is none, or it may have been sent. */
async function tellAlso(tx: Change, { person }: Appointed, organisation: string, welcomed: Welcomed): Promise<boolean> {
  const before = welcomed.get(person);
  if (!before) return false;
  const data = { ...before.data, alsoFor: [...before.data.alsoFor, organisation] };
  if (!(await amend(tx, before.message, data))) return false;
  welcomed.set(person, { ...before, data });
  return true;
}

type Link = { address: string; expiresAt: number };

async function linksFor(tx: Change, appointed: readonly Appointed[], welcoming: Welcoming): Promise<Map<number, Link>> {
  const { now, linkAddress, invitationMs } = welcoming;
  if (linkAddress === null) return new Map();
  const expiresAt = now + invitationMs;
  const tokens = await addLinks(tx, { people: appointed.map(({ person }) => person), purpose: 'invitation', expiresAt, now });
  await appendAll(
    tx,
    appointed.map(({ organisation, person }) => ({
      at: now,
      kind: 'link-made',
      organisation,
      person,
      data: { purpose: 'invitation' },
    })),
  );
  return new Map([...tokens].map(([person, token]) => [person, { address: linkAddress(token), expiresAt }]));
}

function messageTo({ person, email, activity }: Appointed, organisation: string, link: Link | undefined, { now, sealKey }: Welcoming) {
  const data: Told = { organisation, alsoFor: [], by: null, at: now, linkExpiresAt: link?.expiresAt ?? null };
  const message = { channel: 'email', recipient: email, template: 'administrator-welcome', data, person, activity, now } as const;
  return link ? { ...message, secrets: { key: sealKey, values: { link: link.address } }, expiresAt: link.expiresAt } : message;
}
