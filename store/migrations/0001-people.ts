import { type Kind, must, type Schema, wordsOf } from './columns.ts';

async function installation(db: Schema) {
  await db.schema
    .createTable('installation')
    .addColumn('key', 'text', column => column.primaryKey())
    .addColumn('value', 'text', must)
    .execute();
}

async function organisations(db: Schema, kind: Kind) {
  const { whole, key, keyed, folded } = wordsOf(kind);
  await db.schema
    .createTable('organisations')
    .addColumn('id', key, keyed)
    .addColumn('code', 'text', column => column.notNull().unique())
    .addColumn('name', 'text', must)
    .addColumn('name_search', folded, must)
    .addColumn('type', 'text', must)
    .addColumn('provisioning', 'text', must)
    .addColumn('closed_at', whole)
    .addColumn('created_at', whole, must)
    .execute();
}

async function people(db: Schema, kind: Kind) {
  const { whole, key, keyed, folded } = wordsOf(kind);
  await db.schema
    .createTable('people')
    .addColumn('id', key, keyed)
    .addColumn('source_id', 'text', column => column.unique())
    .addColumn('first_name', 'text', must)
    .addColumn('last_name', 'text', must)
    .addColumn('email', 'text')
    .addColumn('email_key', 'text')
    .addColumn('phone', 'text')
    .addColumn('name_search', folded, must)
    .addColumn('active', 'integer', must)
    .addColumn('security_phone', 'text')
    .addColumn('security_phone_set_at', whole)
    .addColumn('created_at', whole, must)
    .addColumn('last_signed_in_at', whole)
    .execute();
  await db.schema.createIndex('people_by_name').on('people').column('name_search').execute();
  await db.schema.createIndex('people_by_email').on('people').column('email_key').execute();
}

async function memberships(db: Schema, kind: Kind) {
  const { whole, to } = wordsOf(kind);
  await db.schema
    .createTable('memberships')
    .addColumn('person_id', whole, to('people.id'))
    .addColumn('organisation_id', whole, to('organisations.id'))
    .addColumn('job_role', 'text')
    .addColumn('joined_at', whole, must)
    .addColumn('removed_at', whole)
    .addColumn('removed_by', whole)
    .addColumn('removed_reason', 'text')
    .addColumn('version', 'integer', column => column.notNull().defaultTo(1))
    .addPrimaryKeyConstraint('memberships_key', ['person_id', 'organisation_id'])
    .execute();
  await db.schema.createIndex('memberships_by_organisation').on('memberships').column('organisation_id').execute();
}

async function identities(db: Schema, kind: Kind) {
  const { whole, key, keyed, to } = wordsOf(kind);
  await db.schema
    .createTable('identities')
    .addColumn('id', key, keyed)
    .addColumn('person_id', whole, to('people.id'))
    .addColumn('kind', 'text', must)
    .addColumn('provider', 'text', must)
    .addColumn('subject', 'text', must)
    .addColumn('subject_key', 'text', must)
    .addColumn('password_hash', 'text')
    .addColumn('password_set_at', whole)
    .addColumn('created_at', whole, must)
    .addUniqueConstraint('identities_by_subject', ['provider', 'subject_key'])
    .execute();
  await db.schema.createIndex('identities_by_person').on('identities').column('person_id').execute();
}

export async function up(db: Schema, kind: Kind): Promise<void> {
  await installation(db);
  await organisations(db, kind);
  await people(db, kind);
  await identities(db, kind);
  await memberships(db, kind);
}
