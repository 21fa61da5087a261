import type { Policies } from '#policies/policies.ts';
import type { ActivityKind, Heard } from '#store/activity.ts';
import type { LiveConnections } from './live.ts';
import type { Sessions } from './sessions.ts';

type Doubtful = {
  policies: Pick<Policies, 'changed' | 'personChanged'>;
  sessions: Pick<Sessions, 'forget'>;
  live: Pick<LiveConnections, 'reviewSoon'>;
};

/** What each change makes doubtful; the next request reads it anew. The same change may be applied more than once. */
export function applyChange(entry: Heard, { policies, sessions, live }: Doubtful): void {
  if (!leavesRights.has(entry.kind)) dropRights(entry, policies);
  if (!leavesSessions.has(entry.kind)) sessions.forget(entry);
  live.reviewSoon();
}

/** What happens all day, and what an import does 120,000 times before anybody has a right; everything else drops rights. */
const leavesRights: ReadonlySet<ActivityKind> = new Set<ActivityKind>([
  'session-started',
  'session-ended',
  'session-organisation-changed',
  'person-imported',
  'person-changed',
  'password-set',
  'link-made',
  'security-phone-set',
  'security-phone-deleted',
]);

/** What somebody may do is no part of their session; everything else drops it. */
const leavesSessions: ReadonlySet<ActivityKind> = new Set<ActivityKind>([
  'access-changed',
  'administrator-appointed',
  'administrator-dismissed',
  'blocked',
  'unblocked',
]);

/** A change in an organisation concerns nothing outside it; one that names none concerns the person, wherever they belong. */
function dropRights({ id, kind, organisation, person }: Heard, policies: Doubtful['policies']): void {
  if (kind === 'council-role-given' || kind === 'council-role-taken') policies.changed('o:council', id);
  if (organisation !== null) policies.changed(`o:${organisation}`, id);
  else if (person !== null) policies.personChanged(person, id);
}
