import { sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import * as people from './migrations/0001-people.ts';
import * as rule from './migrations/0002-rules.ts';
import * as session from './migrations/0003-sessions.ts';
import * as secret from './migrations/0004-secrets.ts';
import * as activity from './migrations/0005-activity.ts';
import * as work from './migrations/0006-work.ts';
import * as keptForm from './migrations/0007-kept-forms.ts';
import * as search from './migrations/0008-search.ts';
import * as plainSearch from './migrations/0009-plain-search.ts';
import type { Kind } from './migrations/columns.ts';
import type { Reader } from './tables.ts';

const steps = {
  '0001-people': people,
  '0002-rules': rule,
  '0003-sessions': session,
  '0004-secrets': secret,
  '0005-activity': activity,
  '0006-work': work,
  '0007-kept-forms': keptForm,
  '0008-search': search,
  '0009-plain-search': plainSearch,
};

/** The names of all steps, in their order: how far a database has come is the name of its last. */
export const levels = Object.keys(steps);

/** How far a database of ours has come. */
export async function levelOf(db: Reader): Promise<string> {
  const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name desc limit 1`.execute(db);
  return rows[0]?.name ?? '';
}

/** Brings the tables up to date, or to the state after an earlier step. Several processes may start at once: PostgreSQL and SQLite let one of them do it and the others wait. */
export async function migrate(db: Reader, kind: Kind, level?: string): Promise<void> {
  const migrations: Record<string, Migration> = {};
  for (const [name, step] of Object.entries(steps)) migrations[name] = { up: schema => step.up(schema, kind) };
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } });
  const { error } = await (level === undefined ? migrator.migrateToLatest() : migrator.migrateTo(level));
  if (error) throw error;
}
