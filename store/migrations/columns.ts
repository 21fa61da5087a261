import type { ColumnDefinitionBuilder, Kysely } from 'kysely';
import { sql } from 'kysely';

export type Kind = 'sqlite' | 'postgres';
export type Schema = Kysely<unknown>;
type Column = (column: ColumnDefinitionBuilder) => ColumnDefinitionBuilder;

// The two databases differ in two words only: how a key numbers itself, and that PostgreSQL must be told to sort by code point.
export function wordsOf(kind: Kind) {
  const whole = kind === 'postgres' ? ('bigint' as const) : ('integer' as const);
  return {
    whole,
    key: kind === 'postgres' ? ('bigserial' as const) : ('integer' as const),
    keyed: (column => (kind === 'postgres' ? column.primaryKey() : column.primaryKey().autoIncrement())) satisfies Column,
    folded: kind === 'postgres' ? sql`text collate "C"` : ('text' as const),
    to:
      (target: string): Column =>
      column =>
        column.references(target).notNull(),
    maybeTo:
      (target: string): Column =>
      column =>
        column.references(target),
  };
}

export const must: Column = column => column.notNull();
