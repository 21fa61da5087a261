import type { Selectable } from 'kysely';
import type { Change } from './database.ts';
import type { LinkPurpose, Reader, Tables } from './tables.ts';
import { hashToken, newToken } from './tokens.ts';

export type LinkRow = Selectable<Tables['one_time_links']>;

/** Makes a link's secret and cancels the person's earlier links of that purpose. Returns the secret, which is kept nowhere. */
export async function addLink(
  tx: Change,
  { person, purpose, expiresAt, now }: { person: number; purpose: LinkPurpose; expiresAt: number; now: number },
): Promise<string> {
  await cancelLinks(tx, { person, purpose, now });
  const token = newToken();
  await tx
    .insertInto('one_time_links')
    .values({ link_hash: hashToken(token), person_id: person, purpose, created_at: now, expires_at: expiresAt })
    .execute();
  return token;
}

/** The link, whatever has become of it. Looking uses nothing up: mail scanners look too. */
export function findLink(db: Reader, token: string): Promise<LinkRow | undefined> {
  return db.selectFrom('one_time_links').selectAll().where('link_hash', '=', hashToken(token)).executeTakeFirst();
}

/** Whether a found link can still be used. */
export const linkIsLive = (link: LinkRow, now: number): boolean =>
  link.used_at === null && link.cancelled_at === null && link.expires_at > now;

/** Uses a link up. Only the first call gets the person; everybody else gets null. */
export async function takeLink(db: Reader, token: string, purpose: LinkPurpose, now: number): Promise<number | null> {
  const row = await db
    .updateTable('one_time_links')
    .set({ used_at: now })
    .where('link_hash', '=', hashToken(token))
    .where('purpose', '=', purpose)
    .where('used_at', 'is', null)
    .where('cancelled_at', 'is', null)
    .where('expires_at', '>', now)
    .returning('person_id')
    .executeTakeFirst();
  return row?.person_id ?? null;
}

/** Makes a person's unused links dead, of one purpose or of all. */
export async function cancelLinks(
  tx: Change,
  { person, purpose, now }: { person: number; purpose?: LinkPurpose; now: number },
): Promise<void> {
  let query = tx.updateTable('one_time_links').set({ cancelled_at: now }).where('person_id', '=', person);
  if (purpose) query = query.where('purpose', '=', purpose);
  await query.where('used_at', 'is', null).where('cancelled_at', 'is', null).execute();
}
