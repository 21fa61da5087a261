import type { Policies } from '#policies/policies.ts';
import type { ActivityKind, Entry } from '#store/activity.ts';
import type { LiveConnections } from './live.ts';
import type { Sessions } from './sessions.ts';

type Doubtful = {
  policies: Pick<Policies, 'changed' | 'personChanged'>;
  sessions: Pick<Sessions, 'forget'>;
  live: Pick<LiveConnections, 'reviewSoon'>;
};

/** What each change makes doubtful; the next request reads it anew. */
export function applyChange(entry: Entry, { policies, sessions, live }: Doubtful): void {
  if (!leavesRights.has(entry.kind)) dropRights(entry, policies);
  sessions.forget(entry);
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

/** A change in an organisation concerns nothing outside it; one that names none concerns the person, wherever they belong. */
function dropRights({ kind, organisation, person }: Entry, policies: Doubtful['policies']): void {
  if (kind === 'council-role-given' || kind === 'council-role-taken') policies.changed('o:council');
  if (organisation !== null) policies.changed(`o:${organisation}`);
  else if (person !== null) policies.personChanged(person);
}
