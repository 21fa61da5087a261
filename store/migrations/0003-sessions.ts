import { type Kind, must, type Schema, wordsOf } from './columns.ts';

async function sessions(db: Schema, kind: Kind) {
  const { whole, key, keyed, to, maybeTo } = wordsOf(kind);
  await db.schema
    .createTable('sessions')
    .addColumn('id', key, keyed)
    .addColumn('person_id', whole, to('people.id'))
    .addColumn('organisation_id', whole, maybeTo('organisations.id'))
    .addColumn('kind', 'text', must)
    .addColumn('created_at', whole, must)
    .addColumn('last_seen_at', whole, must)
    .addColumn('admin_seen_at', whole)
    .addColumn('ended_at', whole)
    .addColumn('end_reason', 'text')
    .addColumn('address', 'text', must)
    .addColumn('agent', 'text', must)
    .execute();
  await db.schema.createIndex('sessions_by_person').on('sessions').column('person_id').execute();
}

async function sessionTokens(db: Schema, kind: Kind) {
  const { whole, to } = wordsOf(kind);
  await db.schema
    .createTable('session_tokens')
    .addColumn('token_hash', 'text', column => column.primaryKey())
    .addColumn('session_id', whole, to('sessions.id'))
    .addColumn('host', 'text', must)
    .addColumn('created_at', whole, must)
    .execute();
  await db.schema.createIndex('session_tokens_by_session').on('session_tokens').column('session_id').execute();
}

async function handoffCodes(db: Schema, kind: Kind) {
  const { whole, to } = wordsOf(kind);
  await db.schema
    .createTable('handoff_codes')
    .addColumn('code_hash', 'text', column => column.primaryKey())
    .addColumn('session_id', whole, to('sessions.id'))
    .addColumn('host', 'text', must)
    .addColumn('nonce_hash', 'text', must)
    .addColumn('return_path', 'text', must)
    .addColumn('expires_at', whole, must)
    .addColumn('taken_at', whole)
    .execute();
}

export async function up(db: Schema, kind: Kind): Promise<void> {
  await sessions(db, kind);
  await sessionTokens(db, kind);
  await handoffCodes(db, kind);
}
