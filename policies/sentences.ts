import type { Decision, Question, Reason } from './decision.ts';

/** What to call those a question is about; the policies themselves know only ids. */
export type Names = { person?: string; organisation?: string; service?: string };
export type Named = Required<Names>;

/** Fills in what has no name. */
export function nameAll(question: Question, names: Names): Named {
  return {
    person: names.person ?? `Person ${question.person}`,
    organisation: names.organisation ?? (question.organisation === 'council' ? 'the council' : `organisation ${question.organisation}`),
    service: names.service ?? `the service "${question.service}"`,
  };
}

const londonDay = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'long', year: 'numeric', timeZone: 'Europe/London' });

/** The day in the council's time zone, such as "4 March 2019". For a last day give the end less a millisecond. */
export function dayOf(time: number): string {
  return londonDay.format(time);
}

/** The answer to a question in one sentence. */
export function sayReason(question: Question, { outcome, reason, rule }: Decision, named: Named, opensAt: number | null): string {
  const { person, organisation, service } = named;
  if (outcome === 'allow') return `Yes: ${person} may ${sayAction(question, named)}.`;
  const refusals: Partial<Record<Reason, string>> = {
    'person-inactive': `the account of ${person} has been deactivated.`,
    'not-a-member': `${person} does not belong to ${organisation}.`,
    'organisation-closed': `${organisation} is closed.`,
    'service-unknown': `there is no service "${question.service}".`,
    'service-not-open': opensAt === null ? `${service} is not open.` : `${service} opens on ${dayOf(opensAt)}.`,
    'no-subscription': `${organisation} does not have ${service}. The council decides which organisations have it.`,
    'no-grant': `${person} does not have the right to ${sayAction(question, named)}.`,
    blocked: rule?.startsWith('p, u:')
      ? `the council has blocked ${person} from ${service} at ${organisation}.`
      : `the council has blocked ${service} at ${organisation} for everybody it was given to.`,
    'rights-not-known': 'the rights could not be read, and what is not known is not allowed.',
  };
  return `No: ${refusals[reason] ?? 'nothing allows it.'}`;
}

/** Begins a sentence that may start with a name made from an id. */
export function capitalise(sentence: string): string {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}

/** Which part somebody plays in an organisation. */
export function sayRole(role: string, question: Question, { person, organisation, service }: Named): string {
  if (role === 'r:organisation-admin') return `${person} is an Organisation Administrator of ${organisation}.`;
  if (question.organisation === 'council') return `${person} works for the council as ${role.slice(2).replaceAll('-', ' ')}.`;
  return `${organisation} has ${service}, and ${person} was given it there.`;
}

function sayAction({ service: id, action }: Question, { organisation, service }: Named): string {
  if (id === 'organisation-admin') {
    return action === 'use' ? `administer ${organisation}` : `appoint administrators of ${organisation}`;
  }
  if (id === 'council-admin') return action === 'use' ? "open the council's administration" : 'give council roles';
  return action === 'use' ? `open ${service} at ${organisation}` : `give ${service} to people of ${organisation}`;
}
