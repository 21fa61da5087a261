import { type Kind, must, type Schema, wordsOf } from './columns.ts';

async function outbox(db: Schema, kind: Kind) {
  const { whole, key, keyed, maybeTo } = wordsOf(kind);
  await db.schema
    .createTable('outbox')
    .addColumn('id', key, keyed)
    .addColumn('created_at', whole, must)
    .addColumn('channel', 'text', must)
    .addColumn('recipient', 'text', must)
    .addColumn('template', 'text', must)
    .addColumn('data', 'text', must)
    .addColumn('sealed', 'text')
    .addColumn('person_id', whole, maybeTo('people.id'))
    .addColumn('activity_id', whole, maybeTo('activity.id'))
    .addColumn('status', 'text', must)
    .addColumn('tries', 'integer', column => column.notNull().defaultTo(0))
    .addColumn('next_try_at', whole, must)
    .addColumn('leased_until', whole)
    .addColumn('expires_at', whole)
    .addColumn('sent_at', whole)
    .addColumn('last_error', 'text')
    .execute();
  await db.schema.createIndex('outbox_by_turn').on('outbox').columns(['status', 'next_try_at']).execute();
}

async function jobs(db: Schema, kind: Kind) {
  const { whole } = wordsOf(kind);
  await db.schema
    .createTable('jobs')
    .addColumn('name', 'text', column => column.primaryKey())
    .addColumn('leased_by', 'text')
    .addColumn('leased_until', whole)
    .addColumn('last_run_at', whole)
    .execute();
}

export async function up(db: Schema, kind: Kind): Promise<void> {
  await outbox(db, kind);
  await jobs(db, kind);
}
