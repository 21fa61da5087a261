/** One organisation's rules, or the council's own. The name of a Casbin domain; made from our own ids only. */
export type Domain = `o:${number}` | 'o:council';

/** One Casbin rule as stored. `v` are its values in Casbin's order; it holds from `startsAt` up to but not including `endsAt`. */
export type Rule = {
  id: number;
  ptype: 'p' | 'g';
  v: readonly string[];
  startsAt: number | null;
  endsAt: number | null;
};

/** All that is known of one domain at one instant: rules not revoked, with those that ended or have not started yet. */
export type Facts = {
  open: boolean;
  people: ReadonlyMap<number, 'active' | 'inactive'>;
  rules: readonly Rule[];
  /** The number of the last change they know of; left out, they know of none. */
  asOf?: number;
};

export const actions = ['use', 'grant'] as const;
export type Action = (typeof actions)[number];

export type Question = { person: number; organisation: number | 'council'; service: string; action: Action };

export type Outcome = 'allow' | 'sign-in' | 'deny';

export type Reason =
  | 'granted'
  | 'open-page'
  | 'shared-page'
  | 'not-signed-in'
  | 'person-inactive'
  | 'not-a-member'
  | 'organisation-closed'
  | 'service-unknown'
  | 'service-not-open'
  | 'no-subscription'
  | 'no-grant'
  | 'blocked'
  | 'rights-not-known';

/** What was decided and why; `rule` is the text of the Casbin rule that decided, if one did. */
export type Decision = { outcome: Outcome; reason: Reason; rule: string | null };

/** What the policies need to know of a service. `opensAt` null or absent: no opening day is known. */
export type ServiceState = { live(now: number): boolean; opensAt?: number | null };

/** Objects of the portal itself, which no catalogue lists and no opening day holds back. */
export const specialServices: ReadonlySet<string> = new Set(['organisation-admin', 'council-admin']);

/** Builds a refusal. */
export function refuse(reason: Reason, rule: string | null = null): Decision {
  return { outcome: 'deny', reason, rule };
}

/** The domain an organisation's rules stand in. */
export function domainOf(organisation: number | 'council'): Domain {
  return organisation === 'council' ? 'o:council' : `o:${organisation}`;
}

/**
 * Copies a question whose every part has the right type, or answers null. Types matter: Casbin turns what it is given into
 * text, so the array ['r:efs'] would pass for the role itself.
 */
export function readQuestion(asked: Question): Question | null {
  if (typeof asked !== 'object' || asked === null) return null;
  const { person, organisation, service, action } = asked;
  if (!isId(person) || !(organisation === 'council' || isId(organisation))) return null;
  if (typeof service !== 'string' || !actions.includes(action)) return null;
  return { person, organisation, service, action };
}

function isId(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}
