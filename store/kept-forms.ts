import { seal, unsealWithAny } from './sealing.ts';
import type { Reader } from './tables.ts';

/** A form as a browser sent it: where to, as what, from which page, and its bytes. */
export type Form = { address: string; contentType: string; referer: string | null; body: Buffer };

/** Whose it is, and for which browser (the hash of its nonce) on which host it waits. */
export type Holder = { person: number; host: string; nonceHash: string };

export type KeptForm = Form & { person: number; createdAt: number; expiresAt: number };

const lifeMs = 60 * 60_000;
// Whoever has a dead session's cookie can have forms kept in its name: so many, and then the oldest goes.
const mostOfOne = 5;

// Bound to its holder, so that a form moved to another row cannot be shown to, or sent by, somebody else.
const purposeOf = (person: number, host: string): string => `kept-form:${person}:${host}`;

/** Keeps a form for an hour, sealed. Returns its id, which is worth nothing without the browser and the person. */
export async function keepForm(db: Reader, key: Uint8Array, { person, host, nonceHash }: Holder, form: Form, now: number): Promise<number> {
  const { id } = await db
    .insertInto('kept_forms')
    .values({
      person_id: person,
      host,
      nonce_hash: nonceHash,
      sealed: sealed(key, person, host, form),
      created_at: now,
      expires_at: now + lifeMs,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  await db
    .deleteFrom('kept_forms')
    .where('person_id', '=', person)
    .where('id', 'not in', newest =>
      newest.selectFrom('kept_forms').select('id').where('person_id', '=', person).orderBy('id', 'desc').limit(mostOfOne),
    )
    .execute();
  return id;
}

export type Which = { id: number; host: string; nonceHash: string; now: number };

/** The form that waits under that id for this browser on this host, whoever's it is. */
export async function findKeptForm(db: Reader, keys: readonly Uint8Array[], { id, host, nonceHash, now }: Which): Promise<KeptForm | null> {
  const row = await db
    .selectFrom('kept_forms')
    .selectAll()
    .where('id', '=', id)
    .where('host', '=', host)
    .where('nonce_hash', '=', nonceHash)
    .where('expires_at', '>', now)
    .executeTakeFirst();
  return row ? opened(keys, row) : null;
}

/** Takes it, once, for its person: of any number who try only one has it, and then it is kept nowhere. */
export async function takeKeptForm(
  db: Reader,
  keys: readonly Uint8Array[],
  { id, host, nonceHash, now, person }: Which & { person: number },
): Promise<KeptForm | null> {
  const row = await db
    .deleteFrom('kept_forms')
    .where('id', '=', id)
    .where('person_id', '=', person)
    .where('host', '=', host)
    .where('nonce_hash', '=', nonceHash)
    .where('expires_at', '>', now)
    .returningAll()
    .executeTakeFirst();
  return row ? opened(keys, row) : null;
}

/** Keeps one again that was taken and could not be sent, as if it had never been taken. */
export async function giveBackKeptForm(db: Reader, key: Uint8Array, { id, host, nonceHash }: Which, form: KeptForm): Promise<void> {
  const { person, createdAt, expiresAt } = form;
  const row = { id, person_id: person, host, nonce_hash: nonceHash, created_at: createdAt, expires_at: expiresAt };
  await db
    .insertInto('kept_forms')
    .values({ ...row, sealed: sealed(key, person, host, form) })
    .execute();
}

/** Forgets it: somebody else sits at the browser now. */
export async function dropKeptForm(db: Reader, { id, host, nonceHash }: Omit<Which, 'now'>): Promise<void> {
  await db.deleteFrom('kept_forms').where('id', '=', id).where('host', '=', host).where('nonce_hash', '=', nonceHash).execute();
}

type Row = { person_id: number; host: string; sealed: string; created_at: number; expires_at: number };

function sealed(key: Uint8Array, person: number, host: string, { address, contentType, referer, body }: Form): string {
  const text = JSON.stringify({ address, contentType, referer, body: body.toString('base64') });
  return seal(key, purposeOf(person, host), text);
}

function opened(keys: readonly Uint8Array[], row: Row): KeptForm {
  const form = JSON.parse(unsealWithAny(keys, purposeOf(row.person_id, row.host), row.sealed));
  return {
    ...form,
    body: Buffer.from(form.body, 'base64'),
    person: row.person_id,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
  };
}
