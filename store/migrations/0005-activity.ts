import { type Kind, must, type Schema, wordsOf } from './columns.ts';

async function activity(db: Schema, kind: Kind) {
  const { whole } = wordsOf(kind);
  await db.schema
    .createTable('activity')
    .addColumn('id', whole, column => column.primaryKey())
    .addColumn('at', whole, must)
    .addColumn('kind', 'text', must)
    .addColumn('actor_id', whole)
    .addColumn('organisation_id', whole)
    .addColumn('person_id', whole)
    .addColumn('session_id', whole)
    .addColumn('service', 'text')
    .addColumn('data', 'text', must)
    .addColumn('text_hash', 'text', must)
    .addColumn('chain_hash', 'text', must)
    .execute();
  await db.schema.createIndex('activity_by_organisation').on('activity').columns(['organisation_id', 'id']).execute();
  await db.schema.createIndex('activity_by_person').on('activity').columns(['person_id', 'id']).execute();
}

async function activityText(db: Schema, kind: Kind) {
  const { whole, to } = wordsOf(kind);
  await db.schema
    .createTable('activity_text')
    .addColumn('activity_id', whole, column => to('activity.id')(column).primaryKey())
    .addColumn('salt', 'text', must)
    .addColumn('text', 'text', must)
    .execute();
}

async function events(db: Schema, kind: Kind) {
  const { whole, key, keyed } = wordsOf(kind);
  await db.schema
    .createTable('events')
    .addColumn('id', key, keyed)
    .addColumn('at', whole, must)
    .addColumn('kind', 'text', must)
    .addColumn('person_id', whole)
    .addColumn('organisation_id', whole)
    .addColumn('service', 'text')
    .addColumn('session_id', whole)
    .addColumn('data', 'text', must)
    .execute();
  await db.schema.createIndex('events_by_age').on('events').column('at').execute();
}

export async function up(db: Schema, kind: Kind): Promise<void> {
  await activity(db, kind);
  await activityText(db, kind);
  await events(db, kind);
}
