import { attacks, type Defence, edit, lookUp, server, upgrades } from './defence.ts';

const path = (take: string, put = '') => edit('gateway/canonical-path.ts', take, put);

export const paths: Defence[] = [
  {
    rows: [1, 2, 3, 4, 5, 31],
    out: 'dot segments are odd',
    edits: [
      path(
        "if (decoded.split('/').some(segment => /[. ]$/.test(segment))) return 'a dot segment, or a dot or space at the end of a segment';",
      ),
    ],
    tests: [attacks, upgrades],
  },
  {
    rows: [6, 7, 8],
    out: 'encoded slashes and backslashes are odd',
    edits: [path(String.raw`if (/%2f|%5c/i.test(raw) || raw.includes('\\')) return 'an encoded slash or a backslash';`)],
    tests: [attacks],
  },
  {
    rows: [9, 10, 11, 12],
    out: 'path parameters are odd',
    edits: [path("if (decoded.includes(';')) return 'a path parameter';")],
    tests: [attacks],
  },
  {
    rows: [13, 69],
    out: 'empty segments are odd',
    edits: [path("if (decoded.includes('//')) return 'an empty segment';")],
    tests: [attacks],
  },
  {
    rows: [14, 15, 22],
    out: 'escapes are decoded before a page is looked up',
    edits: [path('const decoded = decodeOnce(raw);', 'const decoded = raw;')],
    tests: [attacks],
  },
  {
    rows: [21],
    out: 'capitals are lowered after decoding',
    edits: [
      path('key: asciiLower(decoded), odd', 'key: decoded, odd'),
      edit('config/catalogue-addresses.ts', 'capitals => capitals.toLowerCase()', 'capitals => capitals'),
    ],
    tests: [attacks],
  },
  {
    rows: [17, 18],
    out: 'the first line holds a path, not an address',
    edits: [server(" || !url.startsWith('/')"), lookUp(String.raw`splitTarget(request.url.replace(/^https?:\/\/[^/]*/, '')).path`)],
    tests: [attacks, upgrades],
  },
  {
    rows: [20],
    out: 'letters that fold into ASCII are odd',
    edits: [path("if (hidesAscii(decoded)) return 'a letter that stands for an ASCII one';")],
    tests: [attacks],
  },
  {
    rows: [23],
    out: 'a malformed escape gets our refusal, from the router and from the judge',
    edits: [
      path("if (/%(?![0-9A-Fa-f]{2})/.test(raw)) return { refused: 'a malformed escape' };"),
      server('frameworkErrors: (error, request, reply) => app.errorHandler(error, request, reply),'),
    ],
    tests: [attacks],
  },
  {
    rows: [24],
    out: 'the path is forwarded as it was judged',
    edits: [
      edit(
        'gateway/forwarding/dispatch.ts',
        "request.raw.url ?? '/'",
        String.raw`(request.raw.url ?? '/').replace(/^\/[a-z]+(?=\/)/i, '')`,
      ),
    ],
    tests: [attacks, 'tests/gateway/forwarding.test.ts'],
  },
  { rows: [25], out: 'a hash is refused', edits: [path(" || raw.includes('#')")], tests: [attacks] },
  {
    rows: [26],
    out: 'an encoded hash is odd',
    edits: [path("if (/%3f|%23/i.test(raw)) return 'an encoded question mark or hash';")],
    tests: [attacks],
  },
  { rows: [27], out: 'the query is cut off before a page is looked up', edits: [lookUp('request.url')], tests: [attacks] },
  {
    rows: [16, 100],
    out: 'an id is digits and nothing behind them',
    edits: [
      edit(
        'admin-ui/addresses.ts',
        String.raw`/^[1-9]\d{0,14}$/.test(text) ? Number(text)`,
        '/^[1-9]/.test(text) ? Number.parseInt(text, 10)',
      ),
    ],
    tests: ['tests/gateway/attacks-portal.test.ts'],
  },
];
