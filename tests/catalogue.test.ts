import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { opensAt, serviceIsLive } from '#config/catalogue.ts';
import { CatalogueFault, parseCatalogue, readCatalogue } from '#config/catalogue-file.ts';
import { usualNames } from '#config/catalogue-headers.ts';
import { councilCatalogue, demoCatalogue } from '#config/demo/catalogue.ts';

const head = `portal: https://portal.example.org
brand:
  council: Example Council
  productName: Services Portal
  crumbs: [{ text: Home, href: / }]
  accountName: Example
  accountsEmail: accounts@example.org
  address: 1 Example Street
  website: https://www.example.org
  links: { privacy: /p, disclaimer: /d, accessibility: /a, contact: /c }
  helpLinks: { eamw: https://help.example.org, eamwGuide: https://help.example.org/guide }
sites:
  - origin: https://old.example.org
    upstream: http://10.0.0.1:8000
    shared: [/css]
  - origin: https://www.example.org
    upstream: http://10.0.0.2
    rest: open
    bookmarks:
      /signin: /sign-in
services:
`;

const service = (id: string, lines: readonly string[]) =>
  [
    `  - id: ${id}`,
    `    shortName: ${id}`,
    `    fullName: The ${id} service`,
    '    description: One sentence.',
    '    contact: { name: Team, email: team@example.org }',
    '    whoMayGrant: council',
    ...lines.map(line => `    ${line}`),
    '',
  ].join('\n');

const music = service('music', [
  'start: https://old.example.org/music/',
  'pages:',
  '  - { address: https://old.example.org/music, match: prefix }',
  'legacyLogins:',
  '  - { row: Music, address: http://old.example.org/music-login, target: https://old.example.org/music/ }',
]);
/** A second service with the given page lines, after a music service that is right. */
const withArt = (pages: readonly string[], more: readonly string[] = []) =>
  head +
  music +
  service('art', [
    'start: https://old.example.org/art',
    'pages:',
    '  - { address: https://old.example.org/art, match: prefix }',
    ...pages.map(page => `  - ${page}`),
    ...more,
  ]);

function faultsOf(text: string): readonly string[] {
  try {
    parseCatalogue(text, 'services.yaml');
    return [];
  } catch (error) {
    if (error instanceof CatalogueFault) return error.faults;
    throw error;
  }
}

/** The line on which a piece of text first stands. */
const lineOf = (text: string, piece: string) => text.slice(0, text.indexOf(piece)).split('\n').length;

const page = (path: string, match = 'exact') => `{ address: 'https://old.example.org${path}', match: ${match} }`;

describe('a page address', () => {
  test.each<[string, string, string]>([
    ['listed twice', page('/art'), 'overlaps an address of art'],
    ['the same as a prefix of another service', page('/music'), 'overlaps an address of music'],
    ['the same but for the final slash', page('/music/'), 'overlaps an address of music'],
    ['the same as an old login', page('/music-login'), 'overlaps an address of music'],
    ['differing in capitals only', page('/Music', 'prefix'), 'differs from /music only in capitals'],
    ['the same as shared files', page('/CSS/', 'exact'), 'overlaps an address of a page that is shared'],
    ['on an undeclared host', "{ address: 'https://new.example.org/x', match: exact }", 'new.example.org is not a declared site'],
    [
      'at the wrong scheme',
      "{ address: 'http://old.example.org/x', match: exact }",
      "write it at the site's own origin, https://old.example.org/x",
    ],
    ['under the reserved prefix', page('/.portal/take'), '/.portal belongs to the gateway'],
    ['under the reserved prefix in capitals', page('/.PORTAL', 'prefix'), '/.portal belongs to the gateway'],
    ['a prefix with a final slash', page('/x/', 'prefix'), 'write a prefix without the final slash'],
    ['with a dot segment', page('/x/../y'), '. or .. as a segment'],
    ['with a parameter', page('/x;v=1'), 'must not have ; or a backslash'],
    ['with a backslash', page('/x\\y'), 'must not have ; or a backslash'],
    ['with an encoded slash', page('/x%2Fy'), 'must not have %2F'],
    ['with an encoded letter', page('/%41'), 'must not have %41'],
    ['with an encoded percent sign', page('/x%2541'), 'must not have %25'],
    ['with an encoded NUL', page('/x%00'), 'control character %00'],
    ['with lower-case encoding', page('/zo%c3%ab'), 'must be written as browsers send it'],
    ['with a letter beyond ASCII', page('/zoë'), 'must be written as browsers send it'],
    ['with broken UTF-8', page('/zo%C3'), 'must be UTF-8'],
    ['with two slashes', page('/x//y'), 'two slashes together'],
    ['with a query', page('/x?y=1'), 'must not have a query or a fragment'],
    ['with a fragment', page('/x#y'), 'must not have a query or a fragment'],
    ['with a final dot', page('/x./y'), 'end with a dot or a space'],
    ['with a short Windows name', page('/PROGRA~1'), 'must not have ~1'],
    ['with a stream name', page('/x::$DATA'), 'must not have ~1 or ::$'],
    ['with a user name', "{ address: 'https://me:word@old.example.org/x', match: exact }", 'must not carry a user name'],
    ['without a path', "{ address: 'https://old.example.org', match: exact }", 'has a path'],
    ['without a match', "{ address: 'https://old.example.org/x' }", 'match: is missing'],
    ['with an unknown key', `{ address: 'https://old.example.org/x', match: exact, odd: true }`, 'odd: is not a known key here'],
    [
      'with an upstream that has a path',
      `{ address: 'https://old.example.org/x', match: exact, upstream: 'http://10.0.0.1/app' }`,
      'only a scheme and a lower-case host',
    ],
  ])('%s is refused, with file and line', (_name, line, fault) => {
    const text = withArt([line]);
    expect(faultsOf(text)).toEqual([expect.stringContaining(fault)]);
    expect(faultsOf(text)[0]).toMatch(new RegExp(`^services\\.yaml:${lineOf(text, `  - ${line}`)}: `));
  });

  test.each([
    ['nested in a prefix of another service', page('/music/art')],
    ['beside a page whose name begins alike', page('/artists', 'prefix')],
    ['with a letter beyond ASCII, encoded', page('/zo%C3%AB/with%20space')],
    ['with an upstream of its own', `{ address: 'https://old.example.org/x', match: exact, upstream: 'http://10.0.0.9:81' }`],
  ])('%s is accepted', (_name, line) => {
    expect(faultsOf(withArt([line]))).toEqual([]);
  });

  test('two that differ in a capital beyond ASCII are one to an old server', () => {
    const faults = faultsOf(withArt([page('/zo%C3%AB'), page('/ZO%C3%8B')]));
    expect(faults).toEqual([expect.stringContaining('/ZO%C3%8B: overlaps an address of art')]);
  });
});

describe('the file as a whole', () => {
  test.each<[string, [string, string], string]>([
    ['an unknown key at the top', ['portal:', 'colour: green\nportal:'], 'colour: is not a known key here'],
    ['an upstream that is not http', ['http://10.0.0.2', 'ftp://10.0.0.2'], 'must start with http:// or https://'],
    ['an upstream with a password', ['http://10.0.0.2', 'http://me:word@10.0.0.2'], 'must not carry a user name or password'],
    ['an upstream with a query', ['http://10.0.0.2', 'http://10.0.0.2?x'], 'must not have a query'],
    ['a portal on the host of a site', ['https://portal.', 'https://old.'], 'already the host of the portal'],
    ['two sites on one host', ['origin: https://www.', 'origin: https://old.'], 'already the host of another site'],
    ['a rest that is not open', ['rest: open', 'rest: protected'], 'rest: can only be open'],
    ['a bookmark that leaves the portal', ['/signin: /sign-in', '/signin: //evil.example'], 'must be a path on the portal'],
    ['a bookmark under the reserved prefix', ['/signin:', '/.portal/signin:'], '/.portal belongs to the gateway'],
    [
      'a host with a final dot',
      ['origin: https://old.example.org', 'origin: https://old.example.org.'],
      'only a scheme and a lower-case host',
    ],
    ['a missing brand', ['  accountsEmail: accounts@example.org\n', ''], 'accountsEmail: is missing'],
    ['YAML that cannot be read', ['sites:', 'sites: ['], 'correct the YAML'],
    ['a key twice', ['portal:', 'portal: https://p.example.org\nportal:'], 'correct the YAML'],
  ])('%s is refused', (_name, [from, to], fault) => {
    const text = (head + music).replace(from, to);
    expect(faultsOf(text).join('\n')).toMatch(new RegExp(`^services\\.yaml:\\d+: .*${fault.replace(/[.*/[\]]/g, '\\$&')}`, 'm'));
  });

  test.each<[string, readonly string[], string]>([
    ['an opening after the old page has gone', ['opensOn: 2019-04-01', 'oldPageEndsOn: 2019-03-31'], 'is after oldPageEndsOn'],
    ['a day that is not in the calendar', ['opensOn: 2019-02-29'], 'must be a date of the calendar'],
    [
      'an old login on an undeclared host',
      ["legacyLogins: [{ row: A, address: 'http://x.example.org/a', target: 'https://old.example.org/art' }]"],
      'not a declared site',
    ],
    [
      "an old login that leads to another service's page",
      ["legacyLogins: [{ row: A, address: 'http://old.example.org/a', target: 'https://old.example.org/music/x' }]"],
      'no page of art covers it',
    ],
    [
      'an old address without target that is no page',
      ["legacyLogins: [{ row: A, address: 'http://old.example.org/a' }]"],
      'no page of art covers it',
    ],
    [
      'a target inside an exclusion',
      [
        "openPages: [{ address: 'https://old.example.org/art/free', match: prefix }]",
        "legacyLogins: [{ row: A, address: 'http://old.example.org/a', target: 'https://old.example.org/art/free/x' }]",
      ],
      'no page of art covers it',
    ],
    ['an unknown key of a service', ['upstrem: x'], 'upstrem: is not a known key here'],
  ])('%s is refused', (_name, lines, fault) => {
    expect(faultsOf(withArt([], lines))).toEqual([expect.stringContaining(fault)]);
  });

  test('an id used twice, and a tile that leads nowhere', () => {
    expect(faultsOf(head + music + music).join('\n')).toContain('music: is already the id of another service');
    expect(faultsOf((head + music).replace('start: https://old.example.org/music/', 'start: https://old.example.org/else'))).toEqual([
      expect.stringContaining('no page of music covers it'),
    ]);
  });

  test('a service without pages', () => {
    expect(faultsOf(head + service('art', ['start: https://old.example.org/art'])).join('\n')).toContain('pages: is missing');
  });

  test('faults of form and of sense are told together, in the order of their lines', () => {
    const text = withArt([page('/x;y'), page('/music')], ['opensOn: someday'])
      .replace('whoMayGrant: council', 'whoMayGrant: anybody')
      .replace(': https://portal.', ': HTTPS://portal.');
    const faults = faultsOf(text);
    expect(faults.map(fault => fault.replace(/^services\.yaml:\d+: /, '').split(':')[0])).toEqual([
      'portal',
      'whoMayGrant',
      'address',
      'opensOn',
    ]);
    const lines = faults.map(fault => Number(fault.split(':')[1]));
    expect(lines).toEqual([1, lineOf(text, 'whoMayGrant: anybody'), lineOf(text, '/x;y'), lineOf(text, 'opensOn')]);
  });

  test('a file that is empty, a list, or not there', () => {
    expect(faultsOf('').length).toBeGreaterThan(2);
    expect(faultsOf('- a').length).toBeGreaterThan(2);
    expect(() => readCatalogue('/nowhere/services.yaml')).toThrow('/nowhere/services.yaml:1: the file cannot be read');
  });
});

describe('what is read', () => {
  const catalogue = parseCatalogue(head + music, 'services.yaml');

  test('pages carry kind, service, upstream and target', () => {
    const [old, www] = catalogue.sites;
    expect(old?.pages.map(({ id, kind, service, match, target }) => [id, kind, service, match, target])).toEqual([
      ['old.example.org/css/*', 'shared', null, 'prefix', null],
      ['old.example.org/music/*', 'protected', 'music', 'prefix', null],
      ['old.example.org/music-login', 'protected', 'music', 'exact', 'https://old.example.org/music/'],
    ]);
    expect(www?.pages).toEqual([
      {
        id: 'www.example.org/*',
        kind: 'open',
        service: null,
        host: 'www.example.org',
        path: '/',
        match: 'prefix',
        upstream: 'http://10.0.0.2',
        target: null,
        oddPaths: false,
        headers: usualNames,
      },
    ]);
    expect(www?.bookmarks).toEqual(new Map([['/signin', '/sign-in']]));
  });

  test('a service opens at midnight in London, in winter and in summer time, and never when archived', () => {
    const [found] = catalogue.services;
    const winter = { ...found!, opensOn: '2019-03-04' };
    const summer = { ...found!, opensOn: '2019-07-01' };
    const winterOpens = Date.UTC(2019, 2, 4, 0, 0);
    const summerOpens = Date.UTC(2019, 5, 30, 23, 0);
    expect([opensAt(winter), opensAt(summer)]).toEqual([winterOpens, summerOpens]);
    expect([serviceIsLive(winter, winterOpens - 1), serviceIsLive(winter, winterOpens)]).toEqual([false, true]);
    expect([serviceIsLive(summer, summerOpens - 1), serviceIsLive(summer, summerOpens)]).toEqual([false, true]);
    expect([serviceIsLive(found!, 0), serviceIsLive({ ...found!, archived: true }, 0)]).toEqual([true, false]);
  });
});

const printed = [
  ['Schools IT', 'http://intranet.hants.gov.uk/ictinschools.htm'],
  ['SIMS Support', 'http://intranet.hants.gov.uk/ictinschools/sims'],
  ['Trailblazer for Outdoor Learning & Environmental Education', 'http://www3.hants.gov.uk/trailblazer-login'],
  ['Manual of Personnel Practice (MoPP) from the HCC Education Personnel Service (EPS)', 'https://www3.hants.gov.uk/hcc/eps-login'],
  ['Education Finance Services (EFS)', 'https://www3.hants.gov.uk/efs-portal-login'],
  ['Property Intranet', 'http://www3.hants.gov.uk/propertyintranet.htm'],
  ['Hampshire Inspectorate Advisory Service (HIAS) (excl. Moodles)', 'https://www3.hants.gov.uk/hias-login'],
  ['Hampshire Inspectorate Advisory Service (HIAS) (excl. Moodles)', 'http://www3.hants.gov.uk/education/hias.htm'],
  ['Hampshire Music Service (HMS)', 'https://www.hants.gov.uk/educationandlearning/hampshireremusic'],
  ['Governor Services', 'https://www3.hants.gov.uk/governor-login'],
  ['Governor Services', 'https://www.hants.gov.uk/educationandlearning/governors'],
];

describe("the council's services.yaml", () => {
  const catalogue = councilCatalogue();

  test('has every row and address of the guide as printed: 8 services, 9 rows, 11 addresses, 3 hosts (S40–S50)', () => {
    const logins = catalogue.services.flatMap(found => found.legacyLogins);
    expect(logins.map(({ row, address }) => [row, address])).toEqual(printed);
    expect(catalogue.services).toHaveLength(8);
    expect(new Set(logins.map(login => login.row)).size).toBe(9);
    expect(new Set(logins.map(login => new URL(login.address).host)).size).toBe(3);
  });

  test("has the guide's tick boxes by name (S29) and finds the other spellings (S51)", () => {
    const names = [
      'Hampshire Inspectorate Advisory Service',
      'Schools Intranet',
      'Hampshire Music Service',
      'Governor Services',
      'Trailblazer',
    ];
    const more = ['Education Personnel Services – Manual of Personnel Practise', 'Property', 'Education Financial Services'];
    expect(catalogue.services.map(found => found.shortName).sort()).toEqual([...names, ...more].sort());
    const known = catalogue.services.flatMap(found => found.alsoKnownAs);
    for (const spelling of [
      'Schools IT',
      'SIMS Support',
      'Education Finance Services',
      'Manual of Personnel Practice',
      'Property Intranet',
    ])
      expect(known).toContain(spelling);
  });

  test('opens on 4 March 2019, ends the old pages on 31 March, and leaves the Moodles out (S36, S39, S50)', () => {
    for (const found of catalogue.services) expect([found.opensOn, found.oldPageEndsOn]).toEqual(['2019-03-04', '2019-03-31']);
    const open = catalogue.sites.flatMap(site => site.pages).filter(found => found.kind === 'open');
    expect(open.map(found => found.id)).toEqual(['www3.hants.gov.uk/education/hias/moodle/*', 'www.hants.gov.uk/*']);
    expect(catalogue.sites.find(site => site.host === 'www.hants.gov.uk')?.bookmarks.get('/business/servicesportal/signin')).toBe(
      '/sign-in',
    );
  });

  test('the demo is the same services on hosts of this machine', () => {
    const demo = demoCatalogue(8123, host => `http://127.0.0.1:1/${host}`);
    expect(JSON.stringify([demo.portal, demo.sites, demo.services.map(found => [found.start, found.legacyLogins])])).not.toMatch(
      /hants\.gov\.uk|https:/,
    );
    expect(demo.portal).toEqual({ host: 'portal.hants.localhost', origin: 'http://portal.hants.localhost:8123' });
    expect(demo.services.map(found => [found.id, found.shortName, found.opensOn])).toEqual(
      catalogue.services.map(found => [found.id, found.shortName, found.opensOn]),
    );
    expect(demo.sites.flatMap(site => site.pages.map(found => found.path))).toEqual(
      catalogue.sites.flatMap(site => site.pages.map(found => found.path)),
    );
    expect(demo.services.flatMap(found => found.legacyLogins.map(login => login.target))).toContain(
      'http://www.hants.localhost:8123/educationandlearning/governors',
    );
  });
});

describe('maintenance', () => {
  const closed = (maintenance: string) => withArt([], [`maintenance: ${maintenance}`]);
  const closureOf = (text: string) => parseCatalogue(text, 'services.yaml').services.map(({ maintenance }) => maintenance);

  test('has words and, if it is known, an end in London’s time', () => {
    expect(closureOf(closed('{ words: Moving, until: 2019-07-01 07:30 }'))).toEqual([
      null,
      { words: 'Moving', until: Date.UTC(2019, 6, 1, 6, 30) },
    ]);
    expect(closureOf(closed('{ words: Moving }'))).toEqual([null, { words: 'Moving', until: null }]);
  });

  test.each([
    ['without words', '{ until: 2019-07-01 07:30 }', 'words: is missing'],
    ['with too many words', `{ words: '${'x'.repeat(101)}' }`, 'words: must be 100 characters or less'],
    ...['2019-07-01', '2019-02-30 07:30', '2019-07-01 24:30', '2019-07-01T07:30', 'soon'].map(text => [
      `until ${text}`,
      `{ words: Moving, until: '${text}' }`,
      `until: ${text}: must be a time, written like 2019-03-04 07:30`,
    ]),
    ['with a beginning', '{ words: Moving, from: 2019-07-01 07:30 }', 'from: is not a known key here'],
  ])('%s is refused, with its line', (_what, maintenance, fault) => {
    const text = closed(maintenance!);
    expect(faultsOf(text)).toEqual([expect.stringContaining(fault!)]);
    expect(faultsOf(text)[0]).toMatch(new RegExp(`^services\\.yaml:${lineOf(text, 'maintenance:')}: `));
  });
});

describe('the names of the identity headers', () => {
  const named = (headers: string) => withArt([`{ address: 'https://old.example.org/x', match: exact, headers: { ${headers} } }`]);

  test('are the usual ones but for what a page changes', () => {
    const { sites } = parseCatalogue(named('remote-user: X-WebAuth-User, remote-email: MAIL'), 'services.yaml');
    const headersOf = (path: string) => sites[0]!.pages.find(found => found.path === path)?.headers;
    expect(headersOf('/x')).toEqual({ ...usualNames, 'remote-user': 'X-WebAuth-User', 'remote-email': 'MAIL' });
    expect(headersOf('/art')).toEqual(usualNames);
  });

  test.each([
    ...['', 'X User', "'X-User:'", 'X.User', '1-user', 'Zoë'],
    ...[
      'Connection',
      'Keep-Alive',
      'Proxy-Connection',
      'TE',
      'Trailer',
      'Transfer_Encoding',
      'Upgrade',
      'HTTP2-Settings',
      'Proxy-Authorization',
    ],
    ...[
      'Host',
      'Cookie',
      'Set-Cookie',
      'Content-Length',
      'content_length',
      'Content-Type',
      'Expect',
      'X-Forwarded-For',
      'X_Forwarded_Host',
    ],
    ...[
      'Authorization',
      'Accept',
      'Accept-Language',
      'Origin',
      'If-None-Match',
      'Range',
      'Sec-Fetch-Site',
      'User-Agent',
      'X-Requested-With',
    ],
  ])('cannot be "%s"', name => {
    const text = named(`remote-user: ${name || "''"}`);
    expect(faultsOf(text)).toEqual([expect.stringMatching(/: (?:must be the name of a header|already means something else in HTTP)/)]);
    expect(faultsOf(text)[0]).toMatch(new RegExp(`^services\\.yaml:${lineOf(text, '/x')}: remote-user: `));
  });

  test.each([
    ['of another of ours', 'remote-user: Remote-Name', 'remote-name would be both remote-user and remote-name'],
    ['given twice, spelled another way', 'remote-user: X-Who, remote-name: x_who', 'x_who would be both remote-user and remote-name'],
    ['for something we do not say', 'remote-phone: X-Phone', 'remote-phone'],
  ])('cannot be one %s', (_what, headers, fault) => {
    expect(faultsOf(named(headers))).toEqual([expect.stringContaining(fault)]);
  });

  test('mean nothing on an open page, which is told of nobody', () => {
    const open = "openPages: [{ address: 'https://old.example.org/art/open', match: prefix, headers: { remote-user: X-Who } }]";
    expect(faultsOf(withArt([], [open]))).toEqual([expect.stringContaining('headers: is not a known key here')]);
  });
});

describe('the rules of an upstream', () => {
  const withRules = (...lines: string[]) => withArt([]).replace('services:\n', `upstreams:\n${lines.join('\n')}\nservices:\n`);
  const secure = (...lines: string[]) => withRules(...lines).replace('http://10.0.0.2', 'https://10.0.0.2');

  test('are kept by its origin, with what is not said left to the settings', () => {
    const { upstreams } = parseCatalogue(withRules('  - { origin: http://10.0.0.2, host: upstream, connections: 5 }'), 'services.yaml');
    expect([...upstreams.keys()]).toEqual(['http://10.0.0.2']);
    expect(upstreams.get('http://10.0.0.2')).toMatchObject({ host: 'upstream', connections: 5, headersSeconds: null, ca: null });
    expect(upstreams.get('http://10.0.0.2')?.health).toBeNull();
  });

  test('ask after its health for the first site that it serves, every ten seconds unless they say otherwise', () => {
    const rules = withRules('  - { origin: http://10.0.0.2, health: { path: /health } }');
    const health = { path: '/health', status: null, everySeconds: 10, site: 'https://www.example.org' };
    expect(parseCatalogue(rules, 'services.yaml').upstreams.get('http://10.0.0.2')?.health).toEqual(health);
  });

  test.each<[string, string, string]>([
    ['for a server nobody uses', withRules('  - { origin: http://10.0.0.7 }'), 'is the upstream of no site and no page'],
    ['twice', withRules('  - { origin: http://10.0.0.2 }', '  - { origin: http://10.0.0.2 }'), 'is described twice'],
    ['with a certificate but no key', secure('  - { origin: https://10.0.0.2, certificate: package.json }'), 'belong together'],
    ['with TLS where there is none', withRules('  - { origin: http://10.0.0.2, serverName: x.internal }'), 'is reached without TLS'],
    ['with a file that is not there', secure('  - { origin: https://10.0.0.2, ca: nowhere.pem }'), 'nowhere.pem: the file cannot be read'],
    ['with a file that is no PEM', secure('  - { origin: https://10.0.0.2, ca: package.json }'), 'package.json: is not a PEM file'],
    ['with a host of its own making', withRules('  - { origin: http://10.0.0.2, host: other }'), 'must be site (the name people see)'],
    ['with no time to connect', withRules('  - { origin: http://10.0.0.2, connectSeconds: 0 }'), 'connectSeconds: must be 1 or more'],
    [
      'with a health check of another server',
      withRules('  - { origin: http://10.0.0.2, health: { path: http://x/ } }'),
      'path: http://x/: the',
    ],
    [
      'with a status that ends nothing',
      withRules('  - { origin: http://10.0.0.2, health: { path: /, status: 101 } }'),
      'status: must be a status',
    ],
    [
      'with a check all the time',
      withRules('  - { origin: http://10.0.0.2, health: { path: /, everySeconds: 0 } }'),
      'everySeconds: must be 1',
    ],
    ['that nobody knows', withRules('  - { origin: http://10.0.0.2, retries: 3 }'), 'retries: is not a known key here'],
  ])('%s are refused with their line', (_what, text, message) => {
    const faults = faultsOf(text);
    expect(faults.join('\n')).toContain(message);
    expect(faults[0]).toMatch(
      new RegExp(`^services\\.yaml:${lineOf(text, 'upstreams:') + 1}:|^services\\.yaml:${lineOf(text, 'upstreams:') + 2}:`),
    );
  });
});

describe('the certificates of an upstream', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'portal-pems-'));
    for (const name of ['one', 'two']) {
      const files = ['-keyout', `${name}-key.pem`, '-out', `${name}.pem`];
      const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=gateway', ...files];
      execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
      const text = readFileSync(join(folder, `${name}.pem`), 'utf8');
      writeFileSync(join(folder, `half-${name}.pem`), text.slice(0, text.length / 2));
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const withPems = (rules: string) =>
    withArt([])
      .replace('services:\n', `upstreams:\n  - origin: https://10.0.0.2\n${rules}\nservices:\n`)
      .replace('http://10.0.0.2', 'https://10.0.0.2');
  const read = (text: string) => parseCatalogue(text, join(folder, 'services.yaml'));

  test('are read from beside the catalogue', () => {
    const { upstreams } = read(withPems('    ca: two.pem\n    certificate: one.pem\n    key: one-key.pem'));
    expect(upstreams.get('https://10.0.0.2')?.ca).toBe(readFileSync(join(folder, 'two.pem'), 'utf8'));
  });

  test.each([
    [
      'a pair of which one half is renewed already',
      'one.pem',
      'two-key.pem',
      'two.pem',
      '    certificate:',
      'one.pem: cannot be used with its key (',
    ],
    [
      'a certificate cut short',
      'half-one.pem',
      'one-key.pem',
      'two.pem',
      '    certificate:',
      'half-one.pem: cannot be used with its key (',
    ],
    ['a key that is a certificate', 'one.pem', 'two.pem', 'two.pem', '    certificate:', 'one.pem: cannot be used with its key ('],
    ['an authority cut short', 'one.pem', 'one-key.pem', 'half-two.pem', '    ca:', 'half-two.pem: is no certificate that can be used ('],
  ])('that nobody can use are refused with their file and line: %s', (_what, certificate, key, ca, line, message) => {
    const text = withPems(`    ca: ${ca}\n    certificate: ${certificate}\n    key: ${key}`);
    const faults = (() => {
      try {
        return read(text) && [];
      } catch (error) {
        return (error as CatalogueFault).faults;
      }
    })();
    const file = join(folder, 'services.yaml');
    expect(faults).toEqual([expect.stringContaining(`${file}:${lineOf(text, line)}: ${join(folder, message)}`)]);
  });
});
