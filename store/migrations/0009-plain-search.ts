import { sql } from 'kysely';
import { type Kind, type Schema, wordsOf } from './columns.ts';

/**
 * E-mail addresses and user IDs as they are searched, without their apostrophes: taking those out at every search cost more than half
 * of it.
 */
export async function up(db: Schema, kind: Kind): Promise<void> {
  const { folded } = wordsOf(kind);
  await db.schema.alterTable('people').addColumn('email_search', folded).execute();
  await db.schema.alterTable('identities').addColumn('subject_search', folded).execute();
  await sql`update people set email_search = ${plain('email_key')} where email_key is not null`.execute(db);
  await sql`update identities set subject_search = ${plain('subject_key')}`.execute(db);
  await db.schema.dropIndex('people_by_search').execute();
  await db.schema.dropIndex('identities_by_search').execute();
  await db.schema.createIndex('people_by_search').on('people').columns(['name_search', 'email_search']).execute();
  await db.schema.createIndex('identities_by_search').on('identities').columns(['subject_search', 'person_id']).execute();
}

const plain = (column: string) =>
  [...`'’‘ʼ\`´`].reduce((text, sign) => sql`replace(${text}, ${sql.lit(sign)}, '')`, sql`${sql.ref(column)}`);
