import { readFileSync } from 'node:fs';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { usualNames } from '#config/catalogue-headers.ts';
import {
  createFilter,
  headerText,
  type Identity,
  identityHeaders,
  requestHeaders as requestPairs,
  responseFacts,
  responseHeaders,
  withoutCookies,
} from '#gateway/forwarding/headers.ts';

const identity: Identity = {
  userId: 'JSMITH12',
  name: 'Jane Smith',
  email: 'jane.smith@itchenmeadow.example',
  organisationCode: '2746',
  organisationName: 'Itchen Meadow Primary School',
  service: 'hms',
  token: 'head.body.signature',
};
const ownCookies = new Set(['portal', 'portal-handoff', 'portal-form']);
const facts = {
  identity: identityHeaders(identity),
  host: 'www3.hants.localhost:8080',
  toldHost: null,
  protocol: 'http',
  clientAddress: '192.0.2.7',
  ownCookies,
  endsHere: createFilter(),
} as const;
const corpus = JSON.parse(readFileSync(new URL('./attacks/headers.json', import.meta.url), 'utf8')) as [string, string][];

/** The headers as Node hands them over, with its own rules for what comes twice. */
function received(headers: readonly (readonly [string, string])[]): IncomingMessage['headers'] {
  const message = new IncomingMessage(new Socket()) as IncomingMessage & { _addHeaderLines(list: string[], count: number): void };
  const flat = headers.flat();
  message._addHeaderLines(flat, flat.length);
  return message.headers;
}

/** The headers for the legacy server by name, of which none may stand there twice. */
function requestHeaders(...question: Parameters<typeof requestPairs>): Record<string, string> {
  const outgoing = pairs(requestPairs(...question));
  expect(new Set(outgoing.map(([name]) => name)).size).toBe(outgoing.length);
  return Object.fromEntries(outgoing);
}

const pairs = (flat: string[]): [string, string][] =>
  Array.from({ length: flat.length / 2 }, (_, index) => [flat[2 * index]!, flat[2 * index + 1]!]);

/** How servers behind us may spell a header's name before they look for it: CGI and FastCGI, WSGI, PHP. */
const folded = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, '-');
const ours = ['remote-user', 'remote-name', 'remote-email', 'remote-groups'];
const ourPrefix = /^(?:remote|portal|x-forwarded|x-remote|x-portal)-/;

describe('headers for the legacy server', () => {
  test('say who is there, and nothing of our cookies #56', () => {
    const outgoing = requestHeaders(
      received([
        ['Host', 'WWW3.hants.localhost.:8080'],
        ['Cookie', 'portal=secret; Visits=3'],
        ['Cookie', 'portal-handoff=secret; Old="x;portal=secret;y"'],
        ['Accept-Language', 'en-GB'],
      ]),
      facts,
    );
    expect(outgoing).toEqual({
      host: 'www3.hants.localhost:8080',
      cookie: 'Visits=3; Old="x; y"',
      'accept-language': 'en-GB',
      'x-forwarded-for': '192.0.2.7',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'www3.hants.localhost:8080',
      'remote-user': 'JSMITH12',
      'remote-name': 'Jane Smith',
      'remote-email': 'jane.smith@itchenmeadow.example',
      'remote-groups': '2746',
      'portal-organisation': 'Itchen Meadow Primary School',
      'portal-organisation-code': '2746',
      'portal-service': 'hms',
      'portal-identity': 'head.body.signature',
    });
  });

  test('introduce nobody on an open page, whatever the client says', () => {
    const outgoing = requestHeaders(received([['Host', 'x'], ...corpus, ['Cookie', 'portal=secret']]), { ...facts, identity: null });
    expect(Object.keys(outgoing).sort()).toEqual(['host', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto']);
  });

  test('of every kind that is nobody’s claim arrive', () => {
    const plain = {
      accept: '*/*',
      authorization: 'Basic eA==',
      'x-csrf-token': '1',
      'x-requested-with': 'XMLHttpRequest',
      'x-http-method-override': 'PUT',
    };
    expect(
      requestHeaders(received([['Host', 'x'], ...Object.entries(plain), ['Range', 'bytes=0-1'], ['SOAPAction', 'a']]), facts),
    ).toMatchObject({ ...plain, range: 'bytes=0-1', soapaction: 'a' });
  });

  test.each(corpus)('%s: %s never arrives #50', (name, value) => {
    const outgoing = requestHeaders(
      received([
        ['Host', 'x'],
        [name, value],
        [name.toUpperCase(), value],
      ]),
      facts,
    );
    expect(Object.values(outgoing).flat().join('\n')).not.toContain(value);
  });

  test.each([
    ['underscores #51', '_'],
    ['dots #52', '.'],
    ['pluses', '+'],
    ['signs of several kinds', "'"],
  ])('a claim spelled with %s never arrives', (_how, sign) => {
    for (const name of [
      ...ours,
      'portal-service',
      'x-remote-user',
      'x-forwarded-for',
      'x-forwarded-user',
      'x-original-url',
      'ssl-client-cert',
    ]) {
      const outgoing = requestHeaders(
        received([
          ['Host', 'x'],
          [name.replaceAll('-', sign), 'mallory'],
        ]),
        facts,
      );
      expect(Object.values(outgoing)).not.toContain('mallory');
    }
  });

  test.each(['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'http2-settings', 'expect'])(
    '%s ends here (RFC 9110 §7.6.1)',
    name =>
      expect(
        requestHeaders(
          received([
            ['Host', 'x'],
            [name, 'something'],
          ]),
          facts,
        ),
      ).not.toHaveProperty(name),
  );

  test('what Connection names ends here #54, but never what we add #53', () => {
    const named = 'X-Mine, Remote-User, Portal-Service, Cookie, Host, X-Forwarded-For';
    const outgoing = requestHeaders(
      received([
        ['Host', 'x'],
        ['Connection', named],
        ['X-Mine', '1'],
        ['X-Other', '2'],
      ]),
      facts,
    );
    expect(outgoing).not.toHaveProperty('x-mine');
    expect(outgoing).toMatchObject({
      'x-other': '2',
      'remote-user': 'JSMITH12',
      'portal-service': 'hms',
      host: facts.host,
      'x-forwarded-for': '192.0.2.7',
    });
  });

  test('names beyond ASCII go as percent-encoded UTF-8, and the percent sign with them', () => {
    expect(headerText('Siobhán O’Brien')).toBe('Siobh%C3%A1n O%E2%80%99Brien');
    expect(headerText('ليلى')).toBe('%D9%84%D9%8A%D9%84%D9%89');
    expect(headerText('100% 𝒜\r\nX-Evil: 1\0\ud800')).toBe('100%25 %F0%9D%92%9C%0D%0AX-Evil: 1%00%EF%BF%BD');
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), text => void expect(decodeURIComponent(headerText(text))).toBe(text)));
    fc.assert(fc.property(fc.string({ unit: 'binary' }), text => void expect(headerText(text)).toMatch(/^[\x20-\x7e]*$/)));
  });

  test('no list of headers makes two identities, or another one than the session’s', () => {
    const mark = 'mallory';
    const separators = fc.constantFrom('-', '_', '.', '+', '~', '!', "'", '*', '|', '^', '`', '#', '$', '&');
    const spelled = fc
      .tuple(
        fc.constantFrom(...ours, 'portal-organisation', 'portal-service', 'x-forwarded-for', 'x-remote-user', 'x-forwarded-user'),
        separators,
        fc.infiniteStream(fc.boolean()),
      )
      .map(([name, separator, capitals]) => {
        const letters = [...name.replaceAll('-', separator)];
        return letters.map(letter => (capitals.next().value ? letter.toUpperCase() : letter)).join('');
      });
    const header = fc.oneof(
      fc.tuple(spelled, fc.constant(mark)),
      fc.tuple(fc.constantFrom(...corpus.map(([name]) => name)), fc.constant(mark)),
      fc.tuple(fc.constant('Connection'), fc.oneof(spelled, fc.constantFrom(...ours, 'close', 'keep-alive, Remote-User'))),
      fc.tuple(
        fc.constantFrom('Cookie', 'X-Other', '__proto__', 'constructor', 'toString'),
        fc.constantFrom('a=1', 'portal=s3cret', `remote-user=${mark}`),
      ),
    );
    fc.assert(
      fc.property(fc.array(header, { maxLength: 8 }), headers => {
        const outgoing = requestHeaders(received([['Host', 'x'], ...headers]), facts);
        const claims = Object.entries(outgoing).filter(([name]) => ourPrefix.test(folded(name)));
        expect(claims.map(([name]) => folded(name)).sort()).toEqual([...new Set(claims.map(([name]) => name))].sort());
        expect(claims.flatMap(([, value]) => value).join('\n')).not.toContain(mark);
        expect(outgoing['remote-user']).toBe('JSMITH12');
        expect(String(outgoing.cookie)).not.toContain('s3cret');
      }),
      { numRuns: 2_000 },
    );
  });

  test('have the names that a page knows them by', () => {
    const names = { ...usualNames, 'remote-user': 'X-WebAuth-User', 'remote-email': 'MAIL' };
    const outgoing = pairs(identityHeaders({ ...identity, email: null }, names));
    expect(outgoing.map(([name]) => name)).toEqual([
      'X-WebAuth-User',
      ...Object.values(usualNames).filter(name => !/user|email/.test(name)),
    ]);
    expect(Object.fromEntries(outgoing)).toMatchObject({ 'X-WebAuth-User': 'JSMITH12', 'remote-name': 'Jane Smith' });
  });

  test.each(['Staff-Number', 'staff-number', 'Staff_Number', 'STAFF.NUMBER', 'sTaff~nuMber'])(
    'in a name of the catalogue’s never come from a client: %s',
    name => {
      const message = received([
        ['Host', 'x'],
        [name, 'mallory'],
      ]);
      const given = createFilter(['Staff-Number']);
      expect(requestHeaders(message, facts)).toHaveProperty(name.toLowerCase(), 'mallory');
      for (const who of [facts.identity, null])
        expect(JSON.stringify(requestHeaders(message, { ...facts, identity: who, endsHere: given }))).not.toContain('mallory');
    },
  );

  test('no quoting hides our cookie in another', () => {
    for (const header of [
      'a="b; portal=x; c"',
      ';;portal=x;',
      'portal =x',
      '\u00a0portal=x',
      'PORTAL=x; portal=y',
      'portal',
      'portal=x=y; a=1',
    ])
      expect(withoutCookies(header, ownCookies)).not.toMatch(/(?:^|[; \u00a0])portal *(?:=|$)/);
    expect(withoutCookies('portals=1; a=portal=1', ownCookies)).toBe('portals=1; a=portal=1');
  });
});

describe('headers for the browser', () => {
  const answer = responseFacts('https://www3.hants.gov.uk', 'http://10.0.0.7:81', 'protected', new Set(['__Host-portal']));

  test('its own cookies arrive as they were written #64; ours are not its to set', () => {
    const cookies = ['Visits=3; Path=/; Expires=Wed, 09 Jun 2032 10:18:14 GMT', 'raw=%0d%0a', '__host-portal=theirs'];
    const evil = [
      '__Host-portal=evil; Path=/',
      ' __Host-portal =evil',
      '=__Host-portal=evil',
      '==__Host-portal',
      '__Host-portal',
      '\u00a0__Host-portal=evil',
    ];
    const received = [...evil, ...cookies].flatMap((cookie, index) => [index % 2 ? 'Set-Cookie' : 'SET-cookie', cookie]);
    const kept = pairs(responseHeaders(received, answer)).filter(([name]) => name.toLowerCase() === 'set-cookie');
    expect(kept.map(([, value]) => value)).toEqual(cookies);
  });

  test.each([
    ['http://www3.hants.gov.uk/efs/', 'https://www3.hants.gov.uk/efs/'],
    ['HTTP://WWW3.hants.gov.uk?x', 'https://www3.hants.gov.uk?x'],
    ['http://10.0.0.7:81/efs/', 'https://www3.hants.gov.uk/efs/'],
    ['http://10.0.0.7:82/efs/', 'http://10.0.0.7:82/efs/'],
    ['https://elsewhere.example/', 'https://elsewhere.example/'],
    ['../x', '../x'],
    ['/efs/y', '/efs/y'],
    ['//elsewhere.example/', '//elsewhere.example/'],
  ])('a redirect to %s becomes %s', (location, expected) => {
    expect(responseHeaders(['Location', location], answer).slice(0, 2)).toEqual(['Location', expected]);
  });

  test.each([
    ['protected', undefined, 'private, no-cache'],
    ['protected', 'public, max-age=3600', 'private, no-cache'],
    ['protected', 'No-Store', 'private, no-store'],
    ['shared', 'public, max-age=60', 'private, max-age=60'],
    ['shared', undefined, 'private, no-cache'],
    ['open', 'public, max-age=3600', 'public, max-age=3600'],
    ['open', undefined, undefined],
  ] as const)('a %s page that says %s is kept as %s', (kind, said, expected) => {
    const received = [...(said ? ['Cache-Control', said] : []), 'Expires', 'x', 'CDN-Cache-Control', 'public'];
    const outgoing = pairs(responseHeaders(received, { ...answer, kind }));
    expect(outgoing.filter(([name]) => /^cache-control$/i.test(name)).map(([, value]) => value)).toEqual(expected ? [expected] : []);
    if (kind !== 'open') expect(outgoing).toHaveLength(1);
  });

  test('of several wishes about caching the strictest is heard', () => {
    const outgoing = responseHeaders(['Cache-Control', 'max-age=60', 'cache-control', 'no-store'], { ...answer, kind: 'shared' });
    expect(outgoing).toEqual(['cache-control', 'private, no-store']);
  });

  test('what comes several times arrives as often, in its order and its spelling', () => {
    const received = ['Link', '<a>', 'WWW-Authenticate', 'Basic', 'link', '<b>', 'X-Name', 'caf\xe9'];
    expect(responseHeaders(received, { ...answer, kind: 'open' })).toEqual(received);
  });

  test('hop-by-hop headers, and those Connection names, end here #55', () => {
    const hops = ['X-Internal', '1', 'Keep-Alive', '5', 'Upgrade', 'h2c', 'Transfer-Encoding', 'chunked', 'X-Second', '2'];
    const received = ['Connection', 'x-internal, close', ...hops, 'connection', 'X-SECOND', 'Server', 'old'];
    expect(responseHeaders(received, answer)).toEqual(['Server', 'old', 'cache-control', 'private, no-cache']);
  });
});
