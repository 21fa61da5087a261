import type { Brand } from '#config/catalogue.ts';
import type { Visitor } from '#views/visitor.ts';

export const brand: Brand = {
  council: 'Wessex Council',
  productName: 'Services Portal',
  crumbs: [
    { text: 'Wessexweb', href: 'https://www.wessex.example/' },
    { text: 'Services Portal', href: '/' },
  ],
  accountName: 'Wessexweb account',
  accountsEmail: 'accounts@wessex.example',
  address: 'The Keep, Casterbridge CB1 1AA',
  website: 'https://www.wessex.example',
  links: {
    privacy: 'https://www.wessex.example/privacy',
    disclaimer: 'https://www.wessex.example/disclaimer',
    accessibility: 'https://www.wessex.example/accessibility',
    contact: 'https://www.wessex.example/contact',
  },
  helpLinks: { eamw: 'https://accounts.wessex.example', eamwGuide: 'https://www.wessex.example/guide.pdf' },
};

export const james: Visitor = {
  personId: 6,
  firstName: 'James',
  name: 'James Howell',
  sessionId: 1,
  organisation: { id: 7, name: 'Innovations PLC - SP3' },
  organisations: [
    { id: 7, name: 'Innovations PLC - SP3' },
    { id: 8, name: 'Oakridge Junior School' },
  ],
  administers: true,
  councilOperator: false,
};
export const zoe: Visitor = {
  ...james,
  personId: 9,
  firstName: 'Zoë',
  name: 'Zoë O’Brien-de la Cruz',
  organisations: james.organisations.slice(0, 1),
  administers: false,
};
const officer: Visitor = { ...zoe, organisation: null, organisations: [], councilOperator: true };

const contact = { name: 'Education Finance helpdesk', email: 'finance@wessex.example', phone: '01962 000 000' };
const finance = { name: 'Education Financial Services', contact, opensOn: null };
const administrators = [{ name: 'James Howell' }, { name: 'Zoë O’Brien' }];
const refused = {
  person: 'James Howell',
  administers: null,
  service: finance,
  organisation: 'Innovations PLC - SP3',
  administrators,
  elsewhere: [],
  switchAddress: '',
  reference: '4F2A-91C0-77DE',
};
const tools = [
  { name: 'Organisation Admin', description: 'Decide who in your organisation may use which service.', href: '/organisations/7' },
];
const services = [
  {
    name: 'Education Financial Services',
    description: 'Budgets, closedown and financial guidance for schools.',
    href: 'https://www3.wessex.example/efs',
    opensOn: null,
    contact,
  },
  {
    name: 'Wessex Inspectorate Advisory Service',
    description: 'Advice, courses and publications for schools.',
    href: 'https://www3.wessex.example/wias',
    opensOn: null,
  },
  {
    name: 'Trailblazer',
    description: 'Outdoor learning and environmental education.',
    href: 'https://www3.wessex.example/trailblazer',
    opensOn: Date.UTC(2019, 2, 4),
  },
  {
    name: 'Property',
    description: 'Building records, repairs and guidance for people who look after school sites.',
    href: null,
    opensOn: null,
    closed: { words: 'It moves to a new server; nothing you have saved is lost', until: Date.UTC(2019, 2, 11, 7) },
  },
];
const account = { visitor: james, path: '/', organisation: 'Innovations PLC - SP3', tools, services, administrators };
const others = [{ name: 'Music Service', whoGives: 'Ask James Howell or Zoë O’Brien' }];

const kept = { host: 'www3.wessex.example', action: 'https://www3.wessex.example/efs/a.asp', keptAt: 1, goneAt: 3_600_001 };

/** For every page of sign-in and portal, the states that people meet. */
export const samples: Record<string, Record<string, object>> = {
  'gateway/sign-in/sign-in': {
    plain: { userId: '', returnTo: '', reason: null, path: '/sign-in' },
    'sent here': {
      userId: '',
      returnTo: 'https://www3.wessex.example/efs',
      reason: 'sign-in-needed',
      serviceName: 'Education Financial Services',
    },
    'timed out': { userId: '', returnTo: '', reason: 'timed-out' },
    'signed out': { userId: '', returnTo: '', reason: 'signed-out' },
    'form kept': { userId: '', returnTo: '', reason: 'form-kept' },
    'password set': { userId: '', returnTo: '', reason: 'password-set' },
    refused: {
      userId: 'jsmith12',
      returnTo: '',
      reason: null,
      errors: [
        { field: 'user_id', text: 'The user ID or password is not correct' },
        { field: 'password', text: 'Enter your password' },
      ],
    },
  },
  'gateway/sign-in/forgot-password': { plain: {}, unanswered: { errors: [{ field: 'how', text: 'Select how you sign in' }] } },
  'gateway/sign-in/forgot-education': { plain: {}, known: { administrators } },
  'gateway/sign-in/forgot-council': { plain: {} },
  'gateway/sign-in/forgot-email': { plain: {}, wrong: { email: 'x', errors: [{ field: 'email', text: 'Enter an email address' }] } },
  'gateway/sign-in/forgot-sent': { plain: {} },
  'gateway/sign-in/set-password': {
    invitation: { purpose: 'invitation', token: 'abc' },
    reset: {
      purpose: 'reset',
      token: 'abc',
      email: 'x@y.example',
      errors: [{ field: 'password', text: 'Your password must have at least 8 characters' }],
    },
  },
  'gateway/sign-in/link-expired': { invitation: { purpose: 'invitation' }, reset: { purpose: 'reset' } },
  'gateway/sign-in/register': { plain: { path: '/register' } },
  'gateway/portal/services': {
    administrator: { ...account, others: [], banner: { heading: 'You now work in Innovations PLC - SP3', lines: [] } },
    staff: { ...account, visitor: zoe, tools: [], others },
    nothing: { ...account, visitor: zoe, tools: [], services: [], others },
    'nobody to ask': { ...account, visitor: zoe, tools: [], services: [], others, administrators: [] },
    council: { ...account, visitor: officer, organisation: null, tools: [], services: [], others: [], administrators: [] },
  },
  'gateway/portal/denied': {
    'no grant': { ...refused, variant: 'no-grant' },
    administrator: { ...refused, variant: 'no-grant', administers: 7 },
    'no administrator': { ...refused, variant: 'no-grant', administrators: [] },
    'shared files': { ...refused, variant: 'no-grant', service: null },
    'council gives': { ...refused, variant: 'council-gives' },
    'no subscription': { ...refused, variant: 'no-subscription' },
    elsewhere: {
      ...refused,
      variant: 'other-organisation',
      elsewhere: [{ id: 8, name: 'Oakridge Junior School' }],
      switchAddress: 'https://portal.wessex.example/organisation',
    },
    'not open': { ...refused, variant: 'not-open', service: { ...finance, opensOn: Date.UTC(2019, 2, 4) } },
    blocked: { ...refused, variant: 'blocked' },
    inactive: { ...refused, variant: 'inactive', organisation: null },
  },
  'gateway/portal/error': {
    'not found': {
      title: 'Page not found',
      lines: ['If you typed the web address, check it is correct.'],
      service: null,
      reference: '4F2A-91C0-77DE',
    },
    upstream: {
      title: 'This service is not working at the moment',
      lines: ['Try again in a few minutes.'],
      service: finance,
      reference: '4F2A-91C0-77DE',
    },
  },
  'gateway/portal/form-lost': { plain: { next: '/sign-in/site?to=x' } },
  'gateway/portal/kept-form': {
    'to a service': { ...kept, service: 'Education Financial Services', start: 'https://www3.wessex.example/efs' },
    'to a page of no service': { ...kept, service: null, start: 'https://portal.wessex.example/' },
  },
  'gateway/portal/organisation': {
    plain: { visitor: james, returnTo: '' },
    unanswered: { visitor: james, returnTo: '', errors: [{ field: 'organisation', text: 'Select an organisation' }] },
  },
  'gateway/portal/demo-outbox': {
    empty: { messages: [] },
    full: {
      messages: [
        {
          id: 'outbox.2',
          kind: 'text',
          html: null,
          to: '+447700900982',
          subject: null,
          text: '123456 is your Services Portal security code',
          at: Date.UTC(2026, 5, 4),
        },
        {
          id: 'outbox.1',
          kind: 'email',
          html: '<p>Hello Ken</p>',
          to: 'ken@innovations.example',
          subject: 'Your access has changed',
          text: 'Hello Ken\n\nhttps://portal.wessex.example/',
          at: 1,
        },
      ],
    },
  },
  'gateway/portal/help': { 'signed out': { path: '/help' }, 'signed in': { visitor: james, path: '/help' } },
};

/** For every component, the states it can be in. */
export const components: Record<string, Record<string, object>> = {
  banner: {
    success: { heading: 'Access updated for Ken Ash', lines: ['Added: Trailblazer'] },
    important: { heading: 'Closed on Friday', lines: [], kind: 'important' },
  },
  button: {
    plain: { text: 'Save changes' },
    link: { text: 'Start', href: '/' },
    named: { text: 'Yes', kind: 'warning', name: 'answer', value: 'yes' },
  },
  crumbs: { plain: { crumbs: [{ text: 'Manage users', href: '/organisations/7/people' }, { text: 'Ken Ash' }] } },
  csrf: { plain: {} },
  'error-summary': {
    plain: { errors: [{ field: 'code', text: 'Enter the 6 digit code' }] },
    'no field': { errors: [{ field: '', text: 'Try again' }] },
  },
  'field-error': { plain: { name: 'code', error: 'Enter the 6 digit code' } },
  pagination: {
    first: { page: 1, pages: 3, query: '?page=' },
    middle: { page: 6, pages: 12, query: '?q=a&page=' },
    only: { page: 1, pages: 1, query: '?page=' },
  },
  'password-input': { hint: { name: 'password', label: 'Password', hint: 'At least 8 characters', autocomplete: 'new-password' } },
  radios: {
    wrong: {
      name: 'reason',
      legend: 'Why?',
      legendSize: 's',
      items: [{ value: 'left', text: 'Left' }],
      errors: [{ field: 'reason', text: 'Select a reason' }],
    },
  },
  tag: { plain: { text: 'Available' }, coloured: { text: 'Blocked', colour: 'red' } },
  'text-input': {
    plain: { name: 'first_name', label: 'First name', autocomplete: 'given-name', spellcheck: false },
    full: {
      name: 'code',
      id: 'the-code',
      label: 'Code',
      labelSize: 's',
      hint: '6 numbers',
      value: '12 34',
      width: '10',
      inputmode: 'numeric',
      autocomplete: 'one-time-code',
    },
  },
  tiles: {
    plain: {
      level: 2,
      items: [
        { name: 'Manage users', description: 'Who may use what.', href: '/x', note: '12 people' },
        { name: 'Requests', description: 'None.', href: null, tag: { text: 'Soon' } },
      ],
    },
  },
  warning: { plain: { text: 'This cannot be undone.' } },
};
