import type { Selectable } from 'kysely';
import type { Change } from './database.ts';
import { insertRows } from './many.ts';
import type { LinkPurpose, Reader, Tables } from './tables.ts';
import { hashToken, newToken } from './tokens.ts';

export type LinkRow = Selectable<Tables['one_time_links']>;

type NewLink = { purpose: LinkPurpose; expiresAt: number; now: number };

/** Makes a link for each person and cancels their earlier ones of that purpose. Returns the secrets by person, which are kept nowhere. */
export async function addLinks(
  tx: Change,
  { people, purpose, expiresAt, now }: NewLink & { people: readonly number[] },
): Promise<Map<number, string>> {
  await cancelLinks(tx, { people, purpose, now });
  const tokens = new Map(people.map(person => [person, newToken()]));
  const rows = [...tokens].map(([person, token]) => ({
    link_hash: hashToken(token),
    person_id: person,
    purpose,
    created_at: now,
    expires_at: expiresAt,
  }));
  await insertRows(tx, 'one_time_links', rows);
  return tokens;
}

/** Makes one and returns its secret. */
export async function addLink(tx: Change, { person, ...link }: NewLink & { person: number }): Promise<string> {
  return (await addLinks(tx, { people: [person], ...link })).get(person)!;
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

/** Makes people's unused links dead, of one purpose or of all. */
export async function cancelLinks(
  tx: Change,
  { people, purpose, now }: { people: readonly number[]; purpose?: LinkPurpose; now: number },
): Promise<void> {
  if (people.length === 0) return;
  let query = tx.updateTable('one_time_links').set({ cancelled_at: now }).where('person_id', 'in', people);
  if (purpose) query = query.where('purpose', '=', purpose);
  await query.where('used_at', 'is', null).where('cancelled_at', 'is', null).execute();
}
