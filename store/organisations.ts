import type { Change } from './database.ts';
import { insertRows } from './many.ts';
import { foldName } from './names.ts';
import { openOrganisations } from './rules.ts';
import type { OrganisationRow, OrganisationType, Provisioning, Reader } from './tables.ts';

export type NewOrganisation = { code: string; name: string; type: OrganisationType; provisioning: Provisioning; now: number };

const organisationRow = ({ code, name, type, provisioning, now }: NewOrganisation) => ({
  code,
  name,
  name_search: foldName(name),
  type,
  provisioning,
  closed_at: null,
  created_at: now,
});

/** Adds organisations with the two rules every organisation starts with. Returns their ids by their codes, which must be new. */
export async function addOrganisations(tx: Change, added: readonly NewOrganisation[]): Promise<Map<string, number>> {
  const rows = await insertRows(tx, 'organisations', added.map(organisationRow), ['id', 'code', 'created_at']);
  await openOrganisations(
    tx,
    rows.map(({ id, created_at }) => ({ organisation: id, now: created_at })),
  );
  return new Map(rows.map(({ id, code }) => [code, id]));
}

/** Adds one and returns its id. */
export async function addOrganisation(tx: Change, added: NewOrganisation): Promise<number> {
  return (await addOrganisations(tx, [added])).get(added.code)!;
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
