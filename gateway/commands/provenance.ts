import { sayInstant } from '#config/calendar.ts';
import type { Explanation } from '#policies/explain.ts';
import { type Provenance, provenance } from '#store/rights.ts';
import { organisationDomain, personSubject, serviceObject, serviceRole } from '#store/rule-rows.ts';
import type { Reader } from '#store/tables.ts';

/** The rules behind an explanation and those that nearly helped, each with who made it and when. */
export async function sayRules(db: Reader, { rules, nearMisses }: Explanation): Promise<string[]> {
  const lines: string[] = [];
  for (const [label, list] of [
    ['Rule      ', rules],
    ['Nearly    ', nearMisses.map(({ rule }) => rule)],
  ] as const) {
    for (const { id, text } of list) {
      const made = await provenance(db, id);
      lines.push(`${label}${text}`, ...(made ? [`          ${sayGiven(made)}`] : []));
    }
  }
  return lines;
}

function sayGiven({ grantedAt, grantedBy, reason }: Provenance): string {
  const why = reason ? ` (${reason})` : '';
  return `given on ${sayInstant(grantedAt)} by ${grantedBy ?? 'the council (an import or a command)'}${why}`;
}

/** The last right of its kind that was taken away: of a person to a service, and of the organisation to it. */
export async function sayTaken(db: Reader, asked: { person: number; organisation: number; service: string }): Promise<string[]> {
  const { person, organisation, service } = asked;
  const rows = await Promise.all([
    lastRevoked(db, organisation, personSubject(person), serviceRole(service)),
    lastRevoked(db, organisation, serviceRole(service), organisationDomain(organisation), serviceObject(service)),
  ]);
  const lines: string[] = [];
  for (const row of rows) {
    const made = row && (await provenance(db, row.id));
    if (!made || made.revokedAt === null) continue;
    const text = [row.ptype, row.v0, row.v1, row.v2, row.v3, row.v4].filter(value => value !== null).join(', ');
    const by = made.revokedBy ?? 'the council (an import or a command)';
    lines.push(`Before    ${text}`, `          ${sayGiven(made)}; taken away on ${sayInstant(made.revokedAt)} by ${by}`);
  }
  return lines;
}

/** Nothing when a rule of the kind still stands: it was replaced then, not taken away. */
async function lastRevoked(db: Reader, organisation: number, v0: string, v1: string, v2?: string) {
  let query = db
    .selectFrom('rules')
    .selectAll()
    .where('domain', '=', organisationDomain(organisation))
    .where('v0', '=', v0)
    .where('v1', '=', v1)
    .orderBy('id', 'desc')
    .limit(1);
  if (v2 !== undefined) query = query.where('v2', '=', v2).where('v3', '=', 'use').where('v4', '=', 'allow');
  const row = await query.executeTakeFirst();
  return row?.revoked_at != null ? row : undefined;
}
