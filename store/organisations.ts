import type { Change } from './database.ts';
import { foldName } from './names.ts';
import { openOrganisation } from './rules.ts';
import type { OrganisationRow, OrganisationType, Provisioning, Reader } from './tables.ts';

export type NewOrganisation = { code: string; name: string; type: OrganisationType; provisioning: Provisioning; now: number };

/** Adds an organisation with the two rules every organisation starts with. Returns its id; the code must be new. */
export async function addOrganisation(tx: Change, { code, name, type, provisioning, now }: NewOrganisation): Promise<number> {
  const { id } = await tx
    .insertInto('organisations')
    .values({ code, name, name_search: foldName(name), type, provisioning, closed_at: null, created_at: now })
    .returning('id')
    .executeTakeFirstOrThrow();
  await openOrganisation(tx, { organisation: id, now });
  return id;
}

/** The organisation with that code, as the import and the command line name it. */
export function findOrganisation(db: Reader, code: string): Promise<OrganisationRow | undefined> {
  return db.selectFrom('organisations').selectAll().where('code', '=', code).executeTakeFirst();
}

/** The organisation with that id, open or closed. */
export function organisation(db: Reader, id: number): Promise<OrganisationRow | undefined> {
  return db.selectFrom('organisations').selectAll().where('id', '=', id).executeTakeFirst();
}

/** Changes the name and the form it is searched in. */
export async function renameOrganisation(tx: Change, id: number, name: string): Promise<void> {
  await tx
    .updateTable('organisations')
    .set({ name, name_search: foldName(name) })
    .where('id', '=', id)
    .execute();
}

/** Closes an organisation: nobody may use anything in it from now on. Returns whether it was open. */
export async function closeOrganisation(tx: Change, id: number, now: number): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('organisations')
    .set({ closed_at: now })
    .where('id', '=', id)
    .where('closed_at', 'is', null)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}
