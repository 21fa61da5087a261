import type { Change } from './database.ts';
import { asRule, type StoredRule } from './facts.ts';
import {
  addRules,
  administratorRole,
  councilDomain,
  councilRole,
  endRule,
  ensureRule,
  organisationDomain,
  personSubject,
  type RuleValues,
  serviceObject,
  serviceRole,
} from './rule-rows.ts';
import type { Reader } from './tables.ts';

type By = { by: number | null; now: number };
type InService = { organisation: number; person: number; service: string };

function allow(organisation: number, subject: string, object: string, action: 'use' | 'grant'): RuleValues {
  const domain = organisationDomain(organisation);
  return { domain, ptype: 'p', v: [subject, domain, object, action, 'allow'] };
}

function holds(organisation: number, person: number, role: string): RuleValues {
  const domain = organisationDomain(organisation);
  return { domain, ptype: 'g', v: [personSubject(person), role, domain] };
}

/** The two rules every new organisation starts with: its administrators open the administration and appoint further ones. */
export async function openOrganisations(tx: Change, opened: readonly { organisation: number; now: number }[]): Promise<void> {
  const administration = serviceObject('organisation-admin');
  const rules = opened.flatMap(({ organisation, now }) =>
    (['use', 'grant'] as const).map(action => ({ ...allow(organisation, administratorRole, administration, action), by: null, now })),
  );
  await addRules(tx, rules);
}

/** Gives a person a service, until `endsAt` or for good; another end replaces the grant. Returns whether anything changed. */
export function grant(
  tx: Change,
  { organisation, person, service, endsAt, ...by }: InService & By & { endsAt: number | null },
): Promise<boolean> {
  return ensureRule(tx, { ...holds(organisation, person, serviceRole(service)), endsAt, ...by });
}

/** Takes a service from a person. Returns whether they had it. */
export function revokeGrant(tx: Change, { organisation, person, service, ...by }: InService & By): Promise<boolean> {
  return endRule(tx, { ...holds(organisation, person, serviceRole(service)), ...by });
}

/** Makes a person an administrator of the organisation. Returns whether they were none. */
export function appointAdministrator(
  tx: Change,
  { organisation, person, ...by }: { organisation: number; person: number } & By,
): Promise<boolean> {
  return ensureRule(tx, { ...holds(organisation, person, administratorRole), ...by });
}

/** The same for people who are none: nobody looks whether they are. */
export async function appointAdministrators(
  tx: Change,
  appointed: readonly { organisation: number; person: number }[],
  by: By,
): Promise<void> {
  await addRules(
    tx,
    appointed.map(({ organisation, person }) => ({ ...holds(organisation, person, administratorRole), ...by })),
  );
}

/** Ends it. Whether this is the last one is for the caller to ask first, inside the same change (administratorsOf). */
export function dismissAdministrator(
  tx: Change,
  { organisation, person, ...by }: { organisation: number; person: number } & By,
): Promise<boolean> {
  return endRule(tx, { ...holds(organisation, person, administratorRole), ...by });
}

/** Lets an organisation have a service, and its administrators give it on if it is `grantable`. Returns whether anything changed. */
export async function subscribe(
  tx: Change,
  { organisation, service, grantable, ...by }: { organisation: number; service: string; grantable: boolean } & By,
): Promise<boolean> {
  const using = await ensureRule(tx, { ...allow(organisation, serviceRole(service), serviceObject(service), 'use'), ...by });
  const granting = { ...allow(organisation, administratorRole, serviceObject(service), 'grant'), ...by };
  const giving = grantable ? await ensureRule(tx, granting) : await endRule(tx, granting);
  return using || giving;
}

/** Takes a service from an organisation. Its people's grants stay written and count again if it subscribes again. */
export async function unsubscribe(
  tx: Change,
  { organisation, service, ...by }: { organisation: number; service: string } & By,
): Promise<boolean> {
  const using = await endRule(tx, { ...allow(organisation, serviceRole(service), serviceObject(service), 'use'), ...by });
  const giving = await endRule(tx, { ...allow(organisation, administratorRole, serviceObject(service), 'grant'), ...by });
  return using || giving;
}

function denial({ organisation, person, service }: InService): RuleValues {
  const domain = organisationDomain(organisation);
  return { domain, ptype: 'p', v: [personSubject(person), domain, serviceObject(service), 'use', 'deny'] };
}

/** The council's deny, which beats every allow. The reason is kept with it. */
export function block(tx: Change, { reason, by, now, ...where }: InService & By & { reason: string }): Promise<boolean> {
  return ensureRule(tx, { ...denial(where), reason, by, now });
}

/** Lifts it. Returns whether there was one. */
export function unblock(tx: Change, { by, now, ...where }: InService & By): Promise<boolean> {
  return endRule(tx, { ...denial(where), by, now });
}

/** Makes a person a council operator. Returns whether they were none. */
export async function giveCouncilRole(tx: Change, { person, by, now }: { person: number } & By): Promise<boolean> {
  const may = [councilRole, councilDomain, serviceObject('council-admin'), 'use', 'allow'];
  await ensureRule(tx, { domain: councilDomain, ptype: 'p', v: may, by: null, now });
  return ensureRule(tx, { domain: councilDomain, ptype: 'g', v: [personSubject(person), councilRole, councilDomain], by, now });
}

/** Returns whether the person was a council operator. */
export function takeCouncilRole(tx: Change, { person, by, now }: { person: number } & By): Promise<boolean> {
  return endRule(tx, { domain: councilDomain, ptype: 'g', v: [personSubject(person), councilRole, councilDomain], by, now });
}

/** Revokes all a person was given in an organisation. A block stays: leaving and coming back must not lift it. */
export async function endRulesOf(
  tx: Change,
  { organisation, person, by, now }: { organisation: number; person: number } & By,
): Promise<void> {
  await tx
    .updateTable('rules')
    .set({ revoked_at: now, revoked_by: by })
    .where('v0', '=', personSubject(person))
    .where('domain', '=', organisationDomain(organisation))
    .where('ptype', '=', 'g')
    .where('revoked_at', 'is', null)
    .execute();
}

/** Rules read at once: of hundreds of thousands, the database's thread would hold up everybody else. */
const exportPage = 5_000;

/** Every rule that was valid at that instant, in the order they were given: the export. */
export async function rulesAsOf(db: Reader, instant: number): Promise<StoredRule[]> {
  const found: StoredRule[] = [];
  for (;;) {
    const rows = await db
      .selectFrom('rules')
      .selectAll()
      .where('id', '>', found.at(-1)?.id ?? 0)
      .where('granted_at', '<=', instant)
      .where(where => where.or([where('revoked_at', 'is', null), where('revoked_at', '>', instant)]))
      .where(where => where.or([where('starts_at', 'is', null), where('starts_at', '<=', instant)]))
      .where(where => where.or([where('ends_at', 'is', null), where('ends_at', '>', instant)]))
      .orderBy('id')
      .limit(exportPage)
      .execute();
    for (const row of rows) found.push(asRule(row));
    if (rows.length < exportPage) return found;
  }
}
