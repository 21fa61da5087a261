import { sql } from 'kysely';
import { type Kind, must, type Schema, wordsOf } from './columns.ts';

async function rules(db: Schema, kind: Kind) {
  const { whole, key, keyed } = wordsOf(kind);
  await db.schema
    .createTable('rules')
    .addColumn('id', key, keyed)
    .addColumn('domain', 'text', must)
    .addColumn('ptype', 'text', must)
    .addColumn('v0', 'text', must)
    .addColumn('v1', 'text', must)
    .addColumn('v2', 'text', must)
    .addColumn('v3', 'text')
    .addColumn('v4', 'text')
    .addColumn('starts_at', whole)
    .addColumn('ends_at', whole)
    .addColumn('granted_at', whole, must)
    .addColumn('granted_by', whole)
    .addColumn('reason', 'text')
    .addColumn('revoked_at', whole)
    .addColumn('revoked_by', whole)
    .execute();
  await db.schema.createIndex('rules_by_domain').on('rules').column('domain').where(sql.ref('revoked_at'), 'is', null).execute();
  await db.schema.createIndex('rules_by_holder').on('rules').column('v0').execute();
}

export async function up(db: Schema, kind: Kind): Promise<void> {
  await rules(db, kind);
}
