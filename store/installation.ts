import type { Reader } from './tables.ts';

/** One remembered fact of this installation, for instance its 'kind' (demo or real). */
export async function installationValue(db: Reader, key: string): Promise<string | undefined> {
  const row = await db.selectFrom('installation').select('value').where('key', '=', key).executeTakeFirst();
  return row?.value;
}

/** Remembers a fact if none is there yet, and returns what is there. Two processes that start at once get the same answer. */
export async function rememberValue(db: Reader, key: string, value: string): Promise<string> {
  await db
    .insertInto('installation')
    .values({ key, value })
    .onConflict(conflict => conflict.column('key').doNothing())
    .execute();
  return (await installationValue(db, key)) ?? value;
}
