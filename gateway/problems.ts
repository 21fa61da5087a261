export type Problem = { status: number; title: string; lines: readonly string[]; retryAfterSeconds?: number };

/** Everything that can go wrong with a request, in one list: status, what the person reads, and the code the log and programs see. */
export const problems = {
  'bad-request': {
    status: 400,
    title: 'This address cannot be opened',
    lines: ['The web address has characters in it that we cannot pass on safely.', 'Check the address, or start again from your services.'],
  },
  'secure-connection-needed': {
    status: 403,
    title: 'A secure connection is needed',
    lines: ['This page can only be used over https.', 'Check that the address starts with https://.'],
  },
  'hand-off-failed': {
    status: 403,
    title: 'We could not sign you in to this website',
    lines: ['The link from the Services Portal was used before or is too old.', 'Open the page again from your services.'],
  },
  'not-found': {
    status: 404,
    title: 'Page not found',
    lines: ['If you typed the web address, check it is correct.', 'If you used a link, tell the person who gave it to you.'],
  },
  'method-not-allowed': { status: 405, title: 'This cannot be done here', lines: ['This page does not accept that kind of request.'] },
  'form-expired': {
    status: 403,
    title: 'This page was open for too long',
    lines: ['Nothing has been changed.', 'Go back, reload the page and try again.'],
  },
  'form-from-elsewhere': {
    status: 403,
    title: 'This form was sent from another website',
    lines: ['Nothing has been changed.', 'Open the Services Portal yourself and try again from there.'],
  },
  'kept-form-gone': {
    status: 410,
    title: 'This form is not here any more',
    lines: [
      'It has been sent already, or more than an hour has passed.',
      'If it was not sent, open the page again and fill it in once more.',
    ],
  },
  'too-large': { status: 413, title: 'That is too much to send at once', lines: ['Nothing has been changed.', 'Send less and try again.'] },
  'unsupported-body': { status: 415, title: 'This form cannot be read', lines: ['Nothing has been changed.', 'Go back and try again.'] },
  'unknown-host': { status: 421, title: 'Website not found', lines: ['The Services Portal does not answer for this web address.'] },
  'too-many-headers': { status: 431, title: 'This request is too large', lines: ['Close your browser, open it again and try once more.'] },
  internal: {
    status: 500,
    title: 'Sorry, there is a problem with the service',
    lines: ['Try again later.', 'If you were changing something, check whether it was saved before you do it again.'],
  },
  'upstream-failed': {
    status: 502,
    title: 'This service is not working at the moment',
    lines: ['You are allowed to use it, but its website did not answer properly.', 'Try again in a few minutes.'],
  },
  'rights-not-known': {
    status: 503,
    title: 'Sorry, we cannot check your access right now',
    lines: ['We do not let anybody in while we cannot be sure of their access.', 'Try again in a minute.'],
    retryAfterSeconds: 5,
  },
  'data-unavailable': {
    status: 503,
    title: 'Sorry, the Services Portal cannot do this right now',
    lines: [
      'We cannot read or save anything at the moment.',
      'Try again in a minute.',
      'If you were changing something, check whether it was saved before you do it again.',
    ],
    retryAfterSeconds: 5,
  },
  'upstream-unreachable': {
    status: 502,
    title: 'This service is not working at the moment',
    lines: ['You are allowed to use it, but we cannot reach its website.', 'Try again in a few minutes.'],
  },
  'upstream-busy': {
    status: 503,
    title: 'This service is very busy',
    lines: ['You are allowed to use it, but its website cannot take more visitors at the moment.', 'Try again in a few minutes.'],
  },
  // What the council says about it stands in the catalogue.
  'service-closed': { status: 503, title: 'This service is closed for maintenance', lines: [], retryAfterSeconds: 600 },
  'upstream-slow': {
    status: 504,
    title: 'This service is taking too long to answer',
    lines: ['You are allowed to use it, but its website did not answer in time.', 'Try again in a few minutes.'],
  },
} as const satisfies Record<string, Problem>;

export type ProblemCode = keyof typeof problems;
