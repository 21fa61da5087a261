import { type Defence, edit, server } from './defence.ts';

export const signingIn: Defence[] = [
  {
    rows: [81],
    out: 'nobody is hashed for as well',
    edits: [
      edit(
        'gateway/sign-in/credentials.ts',
        'const right = await hashing.verify(identity?.password_hash ?? null, password);',
        'const right = identity !== undefined && (await hashing.verify(identity.password_hash, password));',
      ),
    ],
    tests: ['tests/hashing.test.ts'],
  },
  {
    rows: [82],
    out: 'tries are counted by the name in its one form',
    edits: [edit('gateway/sign-in/credentials.ts', 'const account = subjectKey(attempt.name);', 'const account = attempt.name;')],
    tests: ['tests/gateway/sign-in.test.ts'],
  },
  {
    rows: [83],
    out: 'tries are counted',
    edits: [
      edit('gateway/sign-in/credentials.ts', "if ((await triesOf(deps, account)) > deps.limits.tries) return { outcome: 'throttled' };"),
      edit('gateway/sign-in/credentials.ts', 'if ((await triesOf(deps, account)) >= limits.tries) return true;'),
    ],
    tests: ['tests/gateway/sign-in.test.ts'],
  },
  {
    rows: [84],
    out: 'names are compared in one form',
    edits: [edit('store/names.ts', "subject.normalize('NFKC').trim().toLowerCase()", 'subject.trim().toLowerCase()')],
    tests: ['tests/store.test.ts'],
  },
  {
    rows: [85],
    out: 'an address has one at sign',
    edits: [
      edit(
        'store/email-address.ts',
        String.raw`/^[^\s@,;<>"()\p{Cc}]+@[^\s@,;<>"()\p{Cc}]+\.[^\s@,;<>"()\p{Cc}]+$/u`,
        String.raw`/^[^\s,;<>()\p{Cc}]+@[^\s,;<>()\p{Cc}]+\.[^\s,;<>()\p{Cc}]+$/u`,
      ),
    ],
    tests: ['tests/store.test.ts'],
  },
  {
    rows: [86],
    out: 'a right code is used up',
    edits: [
      edit(
        'store/security-codes.ts',
        "await unused(tx, person).where('purpose', '=', purpose).set({ used_at: now }).execute();\n  await clearAttempts",
        'await clearAttempts',
      ),
    ],
    tests: ['tests/contracts/codes.test.ts'],
  },
  {
    rows: [87],
    out: 'changes take one lock',
    edits: [edit('store/database.ts', "if (kind === 'postgres') await lock(tx);")],
    tests: ['tests/contracts/codes.test.ts'],
  },
  {
    rows: [88],
    out: 'wrong codes are counted',
    edits: [
      edit(
        'store/security-codes.ts',
        "if ((await countAttempts(tx, 'code-try', key, now - limits.waitMinutes * minute)) >= limits.tries) return { outcome: 'too-many' };",
      ),
    ],
    tests: ['tests/gateway/admin-ui-security-phone.test.ts'],
  },
  {
    rows: [89],
    out: 'a code has an end',
    edits: [edit('store/security-codes.ts', 'if (!row || !isLive(row, now))', 'if (!row)')],
    tests: ['tests/gateway/admin-ui-security-phone.test.ts'],
  },
  {
    rows: [89],
    out: 'a code is drawn by the system’s generator',
    edits: [edit('store/security-codes.ts', 'String(randomInt(1_000_000))', 'String(Math.floor(Math.random() * 1_000_000))')],
    tests: ['tests/gateway/attacks-routes.test.ts'],
  },
  {
    rows: [97],
    out: 'the administration’s scope asks for the code',
    edits: [edit('admin-ui/administration.ts', 'guardCode(scope, deps);')],
    tests: ['tests/contracts/permissions.test.ts'],
  },
];

export const operation: Defence[] = [
  {
    rows: [96],
    out: 'a key that is none stops the start',
    edits: [edit('gateway/keys.ts', 'if (/^[A-Za-z0-9+/]{43}=$/.test(key)) return key;', 'if (key.length < 1_000) return key;')],
    tests: ['tests/keys.test.ts'],
  },
  {
    rows: [101],
    out: 'a recipient is one plain address',
    edits: [edit('notify/email.ts', 'checkEmailAddress(email.to);')],
    tests: ['tests/notify-email.test.ts'],
  },
  {
    rows: [102],
    out: 'every rule has a known shape',
    edits: [edit('policies/enforcer.ts', 'checkRule(rule, domain);')],
    tests: ['tests/policies.test.ts'],
  },
  {
    rows: [103],
    out: 'no command waits for Redis to come back',
    edits: [
      edit(
        'store/wake-up.ts',
        'enableOfflineQueue: false,\n    maxRetriesPerRequest: 1,\n    connectTimeout: 500,\n    commandTimeout: 500,',
        'maxRetriesPerRequest: null,\n    connectTimeout: 500,',
      ),
    ],
    tests: ['tests/contracts/wake-up.test.ts'],
  },
  {
    rows: [105],
    out: 'requests are not logged, and of those that are only method, host and path',
    edits: [
      server(
        'serializers: { req: withoutQuery }',
        'serializers: { req: (request: FastifyRequest) => ({ url: request.url, headers: request.headers }) }',
      ),
      server('disableRequestLogging: true', 'disableRequestLogging: false'),
    ],
    tests: ['tests/gateway/sign-in.test.ts'],
  },
];
