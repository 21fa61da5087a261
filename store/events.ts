import type { Reader } from './tables.ts';

export type NewEvent = {
  at: number;
  kind: string;
  person?: number | null;
  organisation?: number | null;
  service?: string | null;
  session?: number | null;
  data?: Record<string, unknown>;
};

/** Notes a sign-in, a refusal or a view: no lock and no order, because nothing is decided by it. No secrets, no query strings. */
export async function record(db: Reader, { at, kind, person, organisation, service, session, data }: NewEvent): Promise<void> {
  await db
    .insertInto('events')
    .values({
      at,
      kind,
      person_id: person ?? null,
      organisation_id: organisation ?? null,
      service: service ?? null,
      session_id: session ?? null,
      data: JSON.stringify(data ?? {}),
    })
    .execute();
}
