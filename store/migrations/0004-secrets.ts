import { type Kind, must, type Schema, wordsOf } from './columns.ts';

async function securityCodes(db: Schema, kind: Kind) {
  const { whole, key, keyed, to } = wordsOf(kind);
  await db.schema
    .createTable('security_codes')
    .addColumn('id', key, keyed)
    .addColumn('person_id', whole, to('people.id'))
    .addColumn('session_id', whole, to('sessions.id'))
    .addColumn('purpose', 'text', must)
    .addColumn('phone', 'text', must)
    .addColumn('code_hash', 'text', must)
    .addColumn('created_at', whole, must)
    .addColumn('expires_at', whole, must)
    .addColumn('used_at', whole)
    .execute();
  await db.schema.createIndex('security_codes_by_person').on('security_codes').column('person_id').execute();
}

async function oneTimeLinks(db: Schema, kind: Kind) {
  const { whole, key, keyed, to } = wordsOf(kind);
  await db.schema
    .createTable('one_time_links')
    .addColumn('id', key, keyed)
    .addColumn('link_hash', 'text', column => column.notNull().unique())
    .addColumn('person_id', whole, to('people.id'))
    .addColumn('purpose', 'text', must)
    .addColumn('created_at', whole, must)
    .addColumn('expires_at', whole, must)
    .addColumn('used_at', whole)
    .addColumn('cancelled_at', whole)
    .execute();
  await db.schema.createIndex('one_time_links_by_person').on('one_time_links').column('person_id').execute();
}

async function attempts(db: Schema, kind: Kind) {
  const { whole, key, keyed } = wordsOf(kind);
  await db.schema
    .createTable('attempts')
    .addColumn('id', key, keyed)
    .addColumn('kind', 'text', must)
    .addColumn('key', 'text', must)
    .addColumn('at', whole, must)
    .execute();
  await db.schema.createIndex('attempts_by_key').on('attempts').columns(['kind', 'key', 'at']).execute();
  await db.schema.createIndex('attempts_by_age').on('attempts').column('at').execute();
}

export async function up(db: Schema, kind: Kind): Promise<void> {
  await securityCodes(db, kind);
  await oneTimeLinks(db, kind);
  await attempts(db, kind);
}
