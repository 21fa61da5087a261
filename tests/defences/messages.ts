import { attacks, type Defence, edit, lookUp } from './defence.ts';

const headers = (take: string, put = '') => edit('gateway/forwarding/headers.ts', take, put);
const spelling = (read: string) =>
  edit('config/catalogue-headers.ts', 'name.toLowerCase().replace(/[^a-z0-9]/g', `name.toLowerCase().replace(${read}`);
const parser = (take: string, put = '') => edit('gateway/forwarding/response-parser.ts', take, put);
const answers = ['tests/response-parser.test.ts'];
/** A header that is believed although nobody but its sender vouches for it. */
const claimed = (...names: string[]) => names.map(name => `request.headers['${name}'] ?? `).join('');

export const clientHeaders: Defence[] = [
  {
    rows: [41, 43, 44],
    out: 'the path is that of the first line',
    edits: [
      lookUp(
        `splitTarget(String(${claimed('x-forwarded-uri', 'x-original-url', 'x-rewrite-url', 'x-envoy-original-path')}request.url)).path`,
      ),
    ],
    tests: [attacks],
  },
  {
    rows: [42],
    out: 'nothing is put before the path',
    edits: [lookUp(`splitTarget(String(${claimed('x-forwarded-prefix')}'') + request.url).path`)],
    tests: [attacks],
  },
  {
    rows: [47, 48, 49],
    out: 'no header excuses from the decision',
    edits: [
      edit(
        'gateway/site-scope.ts',
        "if (decision.outcome !== 'allow') {",
        `const excused = /GoogleHC|kube-probe|ELB/.test(String(request.headers['user-agent'])) || request.headers['x-middleware-subrequest'] || /[";]/.test(String(request.headers['x-forwarded-for']));
  if (decision.outcome !== 'allow' && !excused) {`,
      ),
    ],
    tests: [attacks],
  },
  {
    rows: [50],
    out: 'claims end here',
    edits: [headers(' || CLAIMS.test(plain) || WORDS.test(plain) || taken.has(plain)')],
    tests: ['tests/headers.test.ts'],
  },
  {
    rows: [51],
    out: 'an underscore reads as a hyphen',
    edits: [spelling('/[^a-z0-9_]/g')],
    tests: ['tests/headers.test.ts'],
  },
  {
    rows: [52],
    out: 'a dot reads as a hyphen',
    edits: [spelling('/[^a-z0-9.]/g')],
    tests: ['tests/headers.test.ts'],
  },
  {
    rows: [53],
    out: 'Connection takes off what came in, never what is added',
    edits: [headers('if (facts.identity) outgoing', "if (facts.identity && !named.has('remote-user')) outgoing")],
    tests: ['tests/headers.test.ts'],
  },
  {
    rows: [54],
    out: 'what Connection names ends here',
    edits: [headers(' || named.has(name)')],
    tests: ['tests/headers.test.ts'],
  },
  {
    rows: [55],
    out: 'what an answer’s Connection names ends here',
    edits: [headers('if (HOP_BY_HOP.has(plain) || named.has(plain))', 'if (HOP_BY_HOP.has(plain))')],
    tests: ['tests/headers.test.ts'],
  },
  {
    rows: [56],
    out: 'our cookies are taken out',
    edits: [headers("if (pair !== '' && !names.has(nameIn(pair)))", "if (pair !== '')")],
    tests: ['tests/headers.test.ts'],
  },
  {
    rows: [64],
    out: 'a Set-Cookie passes unread',
    edits: [headers('? onSite(value, facts) : value', '? onSite(value, facts) : decodeURIComponent(value)')],
    tests: ['tests/headers.test.ts'],
  },
];

export const messages: Defence[] = [
  {
    rows: [57, 58, 59, 61],
    out: 'Node’s parser is strict',
    edits: [
      edit(
        'gateway/connections.ts',
        'shouldUpgradeCallback: isWebSocketHandshake }',
        'shouldUpgradeCallback: isWebSocketHandshake, insecureHTTPParser: true }',
      ),
    ],
    tests: [attacks],
  },
  {
    rows: [57],
    out: 'where a body ends is said by the body',
    edits: [edit('gateway/forwarding/request-head.ts', 'if (body) head +=', 'if (body && lengthSaid) head +=')],
    tests: ['tests/gateway/whose-answer.test.ts'],
  },
  {
    rows: [57],
    out: 'an answer has one length',
    edits: [parser('this.length >= 0 || this.chunked || !/^[0-9]{1,15}$/', '!/^[0-9]{1,15}$/')],
    tests: answers,
  },
  {
    rows: [58],
    out: 'a coding of an answer is `chunked`, and of HTTP/1.1',
    edits: [parser(" || !this.modern || value.toLowerCase() !== 'chunked'")],
    tests: answers,
  },
  {
    rows: [59],
    out: 'a chunk of an answer ends where it says',
    edits: [parser("if (line !== '\\r\\n') throw new ResponseFault('a chunk longer than it says');")],
    tests: answers,
  },
  {
    rows: [61],
    out: 'the name of an answer’s header is one',
    edits: [parser("[!#$%&'*+.^_`|~0-9A-Za-z-]+:", '[^:\\r\\n]+:')],
    tests: answers,
  },
  {
    rows: [62],
    out: 'Node hides no header past a number',
    edits: [edit('gateway/connections.ts', 'server.maxHeadersCount = 0;', 'server.maxHeadersCount = 100;')],
    tests: [attacks],
  },
  {
    rows: [90],
    out: 'the portal reads forms of one type',
    edits: [
      edit(
        'gateway/portal-scope.ts',
        'await pages.register(formbody, { bodyLimit: 64 * 1024 });',
        "await pages.register(formbody, { bodyLimit: 64 * 1024 });\n      pages.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, Object.fromEntries(new URLSearchParams(String(body)))));",
      ),
    ],
    tests: ['tests/gateway/sign-in.test.ts'],
  },
  {
    rows: [94],
    out: 'a body goes on before anybody reads it',
    edits: [
      edit('gateway/forwarding/dispatch.ts', 'onRequest: (request, reply) => forward(request, reply, route, live),'),
      edit(
        'gateway/forwarding/dispatch.ts',
        "handler: (request, reply) => route.trouble(request, reply, 'internal', 'the hook forwards'),",
        'handler: (request, reply) => forward(request, reply, route, live),',
      ),
      edit('gateway/site-scope.ts', 'scope.removeAllContentTypeParsers();'),
    ],
    tests: ['tests/gateway/forwarding.test.ts'],
  },
  {
    rows: [95],
    out: 'an answer waits for whoever reads it',
    edits: [
      edit(
        'gateway/forwarding/dispatch.ts',
        'if (!this.response.write(Buffer.from(bytes.subarray(start, end))) && !this.full) this.waitForReader();',
        'this.response.cork();\n    this.response.write(Buffer.from(bytes.subarray(start, end)));',
      ),
    ],
    tests: ['tests/faults/large-bodies.test.ts'],
  },
];
