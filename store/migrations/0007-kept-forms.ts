import { type Kind, must, type Schema, wordsOf } from './columns.ts';

export async function up(db: Schema, kind: Kind): Promise<void> {
  const { whole, key, keyed, to } = wordsOf(kind);
  await db.schema
    .createTable('kept_forms')
    .addColumn('id', key, keyed)
    .addColumn('person_id', whole, to('people.id'))
    .addColumn('host', 'text', must)
    .addColumn('nonce_hash', 'text', must)
    .addColumn('sealed', 'text', must)
    .addColumn('created_at', whole, must)
    .addColumn('expires_at', whole, must)
    .execute();
  await db.schema.createIndex('kept_forms_by_person').on('kept_forms').column('person_id').execute();
}
