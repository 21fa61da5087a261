import type { Reader } from './tables.ts';
import { hashToken, newToken } from './tokens.ts';

const lifeMs = 30_000;

export type NewHandoff = { session: number; host: string; nonceHash: string; returnPath: string; now: number };

/** Writes a code that carries a session to one host, once, within 30 seconds. Returns the code, which is kept nowhere. */
export async function addHandoff(db: Reader, { session, host, nonceHash, returnPath, now }: NewHandoff): Promise<string> {
  const code = newToken();
  await db
    .insertInto('handoff_codes')
    .values({
      code_hash: hashToken(code),
      session_id: session,
      host,
      nonce_hash: nonceHash,
      return_path: returnPath,
      expires_at: now + lifeMs,
    })
    .execute();
  return code;
}

/** Where a code for that host was meant to lead, whatever has become of it; undefined for an invented one. Signs nobody in. */
export async function meantPath(db: Reader, code: string, host: string): Promise<string | undefined> {
  const row = await db
    .selectFrom('handoff_codes')
    .select('return_path')
    .where('code_hash', '=', hashToken(code))
    .where('host', '=', host)
    .executeTakeFirst();
  return row?.return_path;
}

export type Handoff = { code: string; host: string; nonceHash: string; now: number };

/** Takes a code: only the browser that asked (its nonce), only on its host, only once, only for a session that still lives. */
export async function takeHandoff(
  db: Reader,
  { code, host, nonceHash, now }: Handoff,
): Promise<{ session: number; returnPath: string } | null> {
  const row = await db
    .updateTable('handoff_codes')
    .set({ taken_at: now })
    .where('code_hash', '=', hashToken(code))
    .where('host', '=', host)
    .where('nonce_hash', '=', nonceHash)
    .where('taken_at', 'is', null)
    .where('expires_at', '>', now)
    .where('session_id', 'in', live => live.selectFrom('sessions').select('id').where('ended_at', 'is', null))
    .returning(['session_id', 'return_path'])
    .executeTakeFirst();
  return row ? { session: row.session_id, returnPath: row.return_path } : null;
}
