// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are words of the source, written down as they stand there
import { type Defence, edit } from './defence.ts';

export const returns: Defence[] = [
  {
    rows: [65, 68],
    out: 'no character that browsers drop or turn round',
    edits: [edit('gateway/return-address.ts', String.raw`if (/[^\x21-\x7e]|\\/.test(text)) return null;`)],
    tests: ['tests/return-address.test.ts'],
  },
  {
    rows: [66],
    out: 'an origin is ours as a whole',
    edits: [
      edit(
        'gateway/return-address.ts',
        'const place = url && origins.get(url.origin);',
        'const place = url && [...origins.values()].find(({ host }) => url.hostname.endsWith(host));',
      ),
    ],
    tests: ['tests/return-address.test.ts'],
  },
  {
    rows: [67],
    out: 'the address to come back to is checked',
    edits: [
      edit(
        'gateway/sign-in/sign-in.ts',
        "const place = returnAddress(to)?.location ?? '/';",
        "const place = to || (returnAddress(to)?.location ?? '/');",
      ),
    ],
    tests: ['tests/gateway/sign-in.test.ts'],
  },
  {
    rows: [70],
    out: 'an address holds a code and no token',
    edits: [
      edit('gateway/hand-off.ts', 'new URLSearchParams({ code })', "new URLSearchParams({ code, token: request.signedIn?.token ?? '' })"),
    ],
    tests: ['tests/gateway/hand-off.test.ts'],
  },
];

export const sessions: Defence[] = [
  {
    rows: [71],
    out: 'signing in gives a new token and ends the old session',
    edits: [
      edit(
        'gateway/sign-in/sign-in.ts',
        "if (before) await endSessions(tx, { session: before.sessionId }, { reason: 'signed-in-again', by: before.personId, now });",
      ),
      edit(
        'gateway/sign-in/sign-in.ts',
        "deps.cookies.set(reply, 'session', token);",
        "if (!before) deps.cookies.set(reply, 'session', token);",
      ),
    ],
    tests: ['tests/gateway/sessions.test.ts'],
  },
  {
    rows: [72],
    out: 'a form’s token hangs on the session once there is one',
    edits: [
      edit('gateway/portal-scope.ts', 'if (request.signedIn) {\n    request.formSecret = request.signedIn.token;\n  } else {', '{'),
      edit('gateway/sign-in/sign-in.ts', "deps.cookies.clear(reply, 'form');"),
    ],
    tests: ['tests/gateway/sign-in.test.ts'],
  },
  {
    rows: [73],
    out: 'a form’s token is made from the session’s',
    edits: [edit('gateway/csrf.ts', ".update(secret).digest('base64url')", ".update('').digest('base64url')")],
    tests: ['tests/gateway/sign-in.test.ts'],
  },
  {
    rows: [74],
    out: 'a session that has ended is none',
    edits: [edit('gateway/sessions.ts', 'found.endedAt !== null || ')],
    tests: ['tests/gateway/sessions.test.ts'],
  },
  {
    rows: [75],
    out: 'signing out ends the session, not the cookie alone',
    edits: [
      edit(
        'gateway/sign-in/sign-in.ts',
        '    if (visitor)\n      await deps.store.change',
        '    if (!visitor)\n      await deps.store.change',
      ),
    ],
    tests: ['tests/gateway/sessions.test.ts'],
  },
  {
    rows: [76],
    out: 'a cookie that cannot be read is nobody’s',
    edits: [
      edit(
        'gateway/cookies.ts',
        "  try {\n    return decodeURIComponent(text);\n  } catch {\n    return '';\n  }",
        '  return decodeURIComponent(text);',
      ),
    ],
    tests: ['tests/gateway/attacks-cookies.test.ts', 'tests/gateway/sessions.test.ts'],
  },
  {
    rows: [77],
    out: 'a change of rights drops what was known of them',
    edits: [
      edit(
        'gateway/changes.ts',
        'if (!leavesRights.has(entry.kind)) dropRights(entry, policies);',
        'void [dropRights, leavesRights, policies];',
      ),
    ],
    tests: ['tests/gateway/denied.test.ts'],
  },
  {
    rows: [78],
    out: 'a session is remembered by its own cookie',
    edits: [
      edit(
        'gateway/sessions.ts',
        'const key = `${host} ${sealed}`;',
        'const keys = ((globalThis as { keys?: Record<string, string> }).keys ??= {});\n      const key = (keys[host] ??= `${host} ${sealed}`);',
      ),
    ],
    tests: ['tests/gateway/attacks-portal.test.ts'],
  },
  {
    rows: [79],
    out: 'an answer is remembered with its service',
    edits: [
      edit(
        'policies/rights.ts',
        'answers[action].get(service)?.get(person)',
        '[answers[action].get(service), ...answers[action].values()][1]?.get(person)',
      ),
    ],
    tests: ['tests/policies.test.ts'],
  },
  {
    rows: [80],
    out: 'a load is shared by those who want the same',
    edits: [edit('policies/fresh-cache.ts', 'flights.get(key) ?? start(key)', '[...flights.values()][0] ?? start(key)')],
    tests: ['tests/fresh-cache.test.ts'],
  },
  {
    rows: [99],
    out: 'a page holds what was derived from the token, not the token',
    edits: [
      edit('gateway/csrf.ts', 'of: secret => make(keys[0], secret)', 'of: secret => secret'),
      edit('gateway/csrf.ts', 'sameSecret(make(key, secret), token)', 'sameSecret(key ? secret : make(key, secret), token)'),
    ],
    tests: ['tests/gateway/attacks-portal.test.ts'],
  },
];
