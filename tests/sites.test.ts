import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Catalogue, Page, Site } from '#config/catalogue.ts';
import { councilCatalogue } from '#config/demo/catalogue.ts';
import { splitTarget } from '#gateway/canonical-path.ts';
import { buildSites, normalHost } from '#gateway/sites.ts';
import { awkwardTarget, disguised } from './path-arbitraries.ts';
import { serverReadings } from './server-readings.ts';

const catalogue = councilCatalogue();
const sites = buildSites(catalogue);
const site = (name: string) => catalogue.sites.find(({ host }) => host === `${name}.hants.gov.uk`)!;

function found(where: Site, path: string, index = sites): string {
  const answer = index.find(where, path);
  if ('page' in answer) return answer.page.id;
  return 'missing' in answer ? 'missing' : 'refused';
}

describe('the host of a request', () => {
  test.each([
    ['www3.hants.gov.uk', 'www3.hants.gov.uk'],
    ['WWW3.Hants.GOV.UK', 'www3.hants.gov.uk'],
    ['www3.hants.gov.uk.', 'www3.hants.gov.uk'],
    ['www3.hants.gov.uk:443', 'www3.hants.gov.uk'],
    ['www3.hants.gov.uk.:8080', 'www3.hants.gov.uk'],
    ['localhost', 'localhost'],
    ['127.0.0.1:8080', '127.0.0.1'],
  ])('%s is %s', (header, host) => {
    expect(normalHost(header)).toBe(host);
  });

  test.each([
    undefined,
    '',
    '.',
    'www3.hants.gov.uk..',
    '.www3.hants.gov.uk',
    'www3..hants.gov.uk',
    'www3.hants.gov.uk:',
    'www3.hants.gov.uk:x',
    'www3.hants.gov.uk:443:443',
    'www3.hants.gov.uk/',
    'www3.hants.gov.uk, evil.example',
    'evil.example@www3.hants.gov.uk',
    'www3.hants.gov.uk\u00a0',
    ' www3.hants.gov.uk',
    'www3_hants.gov.uk',
    'www3%2ehants.gov.uk',
    '[::1]',
    'www3.hants.gov.u\u212a',
  ])('%j is none', header => {
    expect(normalHost(header)).toBeNull();
  });

  test('leads to the portal, to a site, or nowhere', () => {
    expect(sites.place('PORTAL.hants.gov.uk:443').kind).toBe('portal');
    expect(sites.place('intranet.hants.gov.uk.')).toMatchObject({ kind: 'site', site: { host: 'intranet.hants.gov.uk' } });
    for (const host of [
      'hants.gov.uk',
      'x.www3.hants.gov.uk',
      'www3.hants.gov.uk.evil.example',
      'evilwww3.hants.gov.uk',
      '__proto__',
      undefined,
    ])
      expect(sites.place(host).kind).toBe('unknown');
  });
});

describe('the page of a path', () => {
  test.each([
    ['www3', '/efs', 'www3.hants.gov.uk/efs/*'],
    ['www3', '/EFS/', 'www3.hants.gov.uk/efs/*'],
    ['www3', '/%65fs/forms/a.doc', 'www3.hants.gov.uk/efs/*'],
    ['www3', '/efs-portal-login', 'www3.hants.gov.uk/efs-portal-login'],
    ['www3', '/efs-portal-login/', 'missing'],
    ['www3', '/efsx', 'missing'],
    ['www3', '/', 'missing'],
    ['www3', '/education/hias.htm', 'www3.hants.gov.uk/education/hias.htm'],
    ['www3', '/education/hias/moodle/course/1', 'www3.hants.gov.uk/education/hias/moodle/*'],
    ['www3', '/education/hias/Moodle', 'www3.hants.gov.uk/education/hias/moodle/*'],
    ['www3', '/education/hias/moodles', 'www3.hants.gov.uk/education/hias/*'],
    ['www3', '/education', 'missing'],
    ['www3', '/css/hantsweb.css', 'www3.hants.gov.uk/css/*'],
    ['intranet', '/ictinschools/sims/x', 'intranet.hants.gov.uk/ictinschools/sims/*'],
    ['intranet', '/ictinschools/other', 'missing'],
    ['www', '/', 'www.hants.gov.uk/*'],
    ['www', '/anything/else', 'www.hants.gov.uk/*'],
    ['www', '/educationandlearning/Governors/minutes', 'www.hants.gov.uk/educationandlearning/governors/*'],
    ['www', '/.portal', 'missing'],
    ['www', '/.PORTAL/session', 'missing'],
    ['www', '/%2eportal/x', 'missing'],
    ['www', '/.portals', 'www.hants.gov.uk/*'],
    ['www', '/x/../educationandlearning/governors', 'refused'],
    ['www', '//educationandlearning/governors', 'refused'],
    ['www', '/educationandlearning%2fgovernors', 'refused'],
    ['www', '/educationandlearning/governors;x', 'refused'],
  ])('%s %s is %s', (name, path, id) => {
    expect(found(site(name), path)).toBe(id);
  });

  test('what lies beneath an exact page is nobody’s, not the open rest’s', () => {
    const page = (path: string, match: 'exact' | 'prefix', kind: Page['kind']): Page => ({
      ...site('www').pages[0]!,
      ...{ id: path, path, match, kind, service: kind === 'protected' ? 'efs' : null },
    });
    const mixed: Site = { ...site('www'), pages: [page('/', 'prefix', 'open'), page('/app.asp', 'exact', 'protected')] };
    const index = buildSites({ ...catalogue, sites: [mixed] } as Catalogue);
    expect(found(mixed, '/app.asp', index)).toBe('/app.asp');
    expect(found(mixed, '/APP.asp/anything', index)).toBe('missing');
    expect(found(mixed, '/app.aspx', index)).toBe('/');
  });
});

const wiki: Page = { ...site('www3').pages.find(({ service }) => service === 'efs')!, id: 'wiki', path: '/wiki', oddPaths: true };
const withWiki: Site = { ...site('www3'), pages: [...site('www3').pages, wiki] };
const wikiIndex = buildSites({ ...catalogue, sites: [withWiki] });

describe('a page of an old application with odd paths', () => {
  test.each(['/wiki/a;jsessionid=1', '/wiki/a%2Fb', '/wiki//a', '/wiki/x/../y', '/wiki/50%2525', '/wiki/Why%3F', '/wiki/ends.'])(
    '%s is that page, since every reading is',
    path => expect(found(withWiki, path, wikiIndex)).toBe('wiki'),
  );

  test.each([
    '/wiki/../efs',
    '/wiki/%2e%2e/efs',
    '/wiki/..;/efs',
    '/wiki/x/..%2f..%2fefs',
    '/wiki/..%5cefs',
    '/wiki/%252e%252e/efs',
    '/wiki/%ef%bc%8e%ef%bc%8e/efs',
    '/wiki/..',
    '/wiki;x/../efs',
    '/efs/..;/wiki/',
    '/wiki%00/a',
    '/wiki/a~1',
  ])('%s is refused: some server would leave the page', path => {
    expect(found(withWiki, path, wikiIndex)).toBe('refused');
  });
});

test('whatever an odd path is made of, it passes only if every kind of server stays on the page', () => {
  fc.assert(
    fc.property(fc.tuple(fc.constantFrom('/wiki', '/wiki/', '/wiki/a/b', '/efs/'), awkwardTarget), ([before, after]) => {
      const { path } = splitTarget(before + after);
      if (found(withWiki, path, wikiIndex) !== 'wiki') return;
      for (const [server, read] of Object.entries(serverReadings))
        expect(`${read(path).toLowerCase()}/`.startsWith('/wiki/'), `${path} to a server that ${server}: ${read(path)}`).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

describe('a protected page with a letter beyond ASCII, on a site whose rest is open', () => {
  const guarded = {
    ...site('www').pages.find(({ kind }) => kind === 'protected')!,
    id: 'guarded',
    path: '/caf%C3%A9',
    match: 'prefix',
  } as const;
  const where = { ...site('www'), pages: [...site('www').pages, guarded] };
  const index = buildSites({ ...catalogue, sites: [where] });

  // To a Windows server these are one folder, and to a Mac.
  test.each(['/caf%C3%A9/', '/CAF%C3%89/x', '/caf%E9/x', '/CAF%C9', '/cafe%CC%81/x', '/caf%C3%A9/x%E9', '/caf%E9/x%C3%A9'])(
    'is met by %s',
    path => {
      expect(found(where, path, index)).toBe('guarded');
    },
  );

  test.each(['/cafe/', '/caf%C3%A8/', '/caf%E8/', '/caf%C3%A9s/', '/caf%C3%83%C2%A9/'])('is not met by %s', path => {
    expect(found(where, path, index)).toBe('www.hants.gov.uk/*');
  });
});

describe('no disguise of a protected address passes as an open page', () => {
  const www = site('www');
  const guarded = ['/educationandlearning/governors', '/educationandlearning/hampshireremusic'];
  const leadsToGuarded = (raw: string) =>
    Object.values(serverReadings).some(read => guarded.some(path => `${read(raw).toLowerCase()}/`.startsWith(`${path}/`)));

  test.each([
    ['letters escaped, folded and put in between', fc.oneof(...guarded.map(disguised))],
    ['a way round by another path', fc.tuple(awkwardTarget, fc.constantFrom(...guarded)).map(([before, path]) => before + path)],
    ['something after it', fc.tuple(fc.constantFrom(...guarded), awkwardTarget).map(([path, after]) => path + after)],
  ])('%s', (_how, targets) => {
    let tried = 0;
    fc.assert(
      fc.property(targets, target => {
        const { path } = splitTarget(target);
        if (!leadsToGuarded(path)) return;
        tried += 1;
        const answer = sites.find(www, path);
        if ('page' in answer) expect(answer.page.kind, path).toBe('protected');
      }),
      { numRuns: 2_000 },
    );
    expect(tried).toBeGreaterThan(200);
  });
});
