import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { fullName } from '#store/names.ts';
import { type FieldError, fieldOf } from '#views/forms.ts';
import { visitorOf } from '#views/visitor.ts';
import { hubAddress, peopleAddress, personAddress, registrationAddress } from '../addresses.ts';
import type { AdminDeps } from '../deps.ts';
import { administered, refuseDismissed } from '../guards.ts';
import { nothingTyped, readDetails, type Typed } from './form.ts';
import { invite } from './invite.ts';

const path = '/organisations/:organisation/people/new';

const answers = [
  { value: 'yes', text: 'Yes' },
  { value: 'no', text: 'No' },
  { value: 'not-sure', text: 'I am not sure' },
];

/** Register new user: Education accounts are made elsewhere, so the question comes first; everybody else is invited by e-mail. */
export function registerRegistration(scope: FastifyInstance, deps: AdminDeps): void {
  scope.get(path, async (request, reply) => {
    const account = fieldOf(request.query, 'account');
    if (account === 'no') return showDetails(deps, request, reply, { typed: nothingTyped, errors: [], existing: null });
    return account === 'yes' || account === 'not-sure' ? explain(request, reply, account) : ask(request, reply, []);
  });

  scope.post(path, async (request, reply) => {
    if (fieldOf(request.body, 'step') === 'details') return sendInvitation(deps, request, reply);
    const account = fieldOf(request.body, 'account');
    if (answers.some(({ value }) => value === account)) return reply.redirect(`${addressOf(request)}?account=${account}`, 303);
    return ask(request, reply.code(422), [{ field: 'account', text: 'Select if this person has an Education account' }]);
  });
}

const addressOf = (request: FastifyRequest): string => registrationAddress(administered(request).id);

async function sendInvitation(deps: AdminDeps, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const organisation = administered(request);
  const read = readDetails(request.body);
  if ('errors' in read) return showDetails(deps, request, reply.code(422), { ...read, existing: null });
  const result = await invite(deps, { visitor: visitorOf(request), organisation, details: read.details });
  const fault = (text: string, existing: Existing = null) =>
    showDetails(deps, request, reply.code(422), { typed: read.typed, errors: [{ field: 'email', text }], existing });
  switch (result.outcome) {
    case 'not-administrator':
      return refuseDismissed(request, reply);
    case 'yourself':
      return fault('You cannot register yourself');
    case 'already-here': {
      const name = fullName(result.person);
      return fault(`${name} is already in your organisation`, { name, address: personAddress(organisation.id, result.person.id) });
    }
    case 'invited':
      deps.deliverSoon();
      return reply.redirect(`${personAddress(organisation.id, result.person)}?saved=${result.activity}`, 303);
  }
}

function frameOf(request: FastifyRequest, title: string) {
  const organisation = administered(request);
  return {
    title,
    organisation: organisation.name,
    crumbs: [{ text: 'Organisation administration hub', href: hubAddress(organisation.id) }, { text: 'Register new user' }],
    address: registrationAddress(organisation.id),
  };
}

function ask(request: FastifyRequest, reply: FastifyReply, errors: FieldError[]): FastifyReply {
  return reply.page('admin-ui/registration/question', { ...frameOf(request, 'Register new user'), errors, answers });
}

function explain(request: FastifyRequest, reply: FastifyReply, account: 'yes' | 'not-sure'): FastifyReply {
  const { id, provisioning } = administered(request);
  const page = { ...frameOf(request, 'Education accounts are created elsewhere'), provisioning, unsure: account === 'not-sure' };
  return reply.page('admin-ui/registration/education-account', { ...page, peopleAddress: peopleAddress(id) });
}

type Existing = { name: string; address: string } | null;
type DetailsShown = { typed: Typed; errors: FieldError[]; existing: Existing };

function showDetails({ settings }: AdminDeps, request: FastifyRequest, reply: FastifyReply, shown: DetailsShown): FastifyReply {
  const page = { ...frameOf(request, 'Details of the new user'), days: settings.invitationDays };
  return reply.page('admin-ui/registration/details', { ...page, ...shown });
}
