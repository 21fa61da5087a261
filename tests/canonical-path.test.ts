import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalPath, readings, splitTarget } from '#gateway/canonical-path.ts';
import { anyPath } from './path-arbitraries.ts';
import { asciiAfterFolding, asciiLowerCase, serverReadings } from './server-readings.ts';

describe('the canonical form of a path', () => {
  test.each([
    ['/', '/'],
    ['/efs', '/efs'],
    ['/EFS/Forms', '/efs/forms'],
    ['/%65fs/%46orms', '/efs/forms'],
    ['/efs/a%20b.htm', '/efs/a b.htm'],
    ['/efs/100%25', '/efs/100%'],
    ['/efs/.well-known/x', '/efs/.well-known/x'],
    ['/efs/..hidden', '/efs/..hidden'],
    ['/efs/~smith/', '/efs/~smith/'],
    ["/efs/it's(1),x=2@y!&$*", "/efs/it's(1),x=2@y!&$*"],
    ['/efs/caf%C3%A9', '/efs/caf\u00c3\u00a9'],
    ['/efs/caf%E9', '/efs/caf\u00e9'],
    ['/efs/a:b', '/efs/a:b'],
  ])('%s is %s and nothing else', (raw, key) => {
    expect(canonicalPath(raw)).toEqual({ key, odd: null });
  });

  test('only ASCII letters lose their case, as on the old servers', () => {
    expect(canonicalPath('/%C3%89')).toEqual({ key: '/\u00c3\u0089', odd: null });
  });

  test.each([
    ['', 'not an absolute path'],
    ['efs', 'not an absolute path'],
    ['*', 'not an absolute path'],
    ['http://www3.hants.localhost/efs', 'not an absolute path'],
    ['/efs#x', 'a character that must be escaped'],
    ['/efs x', 'a character that must be escaped'],
    ['/caf\u00e9', 'a character that must be escaped'],
    ['/efs/%', 'a malformed escape'],
    ['/efs/%2', 'a malformed escape'],
    ['/efs/%zz', 'a malformed escape'],
    ['/efs/%u002e%u002e', 'a malformed escape'],
    ['/efs%00.htm', 'a control character'],
    ['/efs%0d%0aX-Evil:1', 'a control character'],
    ['/efs%7f', 'a control character'],
    ['/%c0%ae%c0%ae/efs', 'an overlong UTF-8 sequence'],
    ['/x%c0%afefs', 'an overlong UTF-8 sequence'],
    ['/x%e0%80%afefs', 'an overlong UTF-8 sequence'],
    ['/GOVERN~1', 'a short file name'],
    ['/govern%7e1', 'a short file name'],
  ])('%j is refused whatever the page says: %s', (raw, refused) => {
    expect(canonicalPath(raw)).toEqual({ refused });
  });

  test.each([
    ['/x%2fefs', 'an encoded slash or a backslash'],
    ['/x%5Cefs', 'an encoded slash or a backslash'],
    ['/x\\efs', 'an encoded slash or a backslash'],
    ['/efs%3fx', 'an encoded question mark or hash'],
    ['/efs%23x', 'an encoded question mark or hash'],
    ['/%2565fs', 'a double escape'],
    ['/efs;jsessionid=1', 'a path parameter'],
    ['/x/..;/efs', 'a path parameter'],
    ['/x%3b/efs', 'a path parameter'],
    ['//efs', 'an empty segment'],
    ['/efs//x', 'an empty segment'],
    ['/efs::$DATA', 'a file stream'],
    ['/efs:$I30:$INDEX_ALLOCATION', 'a file stream'],
    ['/./efs', 'a dot segment, or a dot or space at the end of a segment'],
    ['/x/../efs', 'a dot segment, or a dot or space at the end of a segment'],
    ['/x/%2e%2E/efs', 'a dot segment, or a dot or space at the end of a segment'],
    ['/efs.', 'a dot segment, or a dot or space at the end of a segment'],
    ['/efs%20/x', 'a dot segment, or a dot or space at the end of a segment'],
    ['/efs.../x', 'a dot segment, or a dot or space at the end of a segment'],
    ['/x%ef%bc%8fefs', 'a letter that stands for an ASCII one'],
    ['/%ef%bc%8e%ef%bc%8e/efs', 'a letter that stands for an ASCII one'],
    ['/x%e2%88%95efs', 'a letter that stands for an ASCII one'],
    ['/ef%c5%bf', 'a letter that stands for an ASCII one'],
    ['/%e2%84%aaey', 'a letter that stands for an ASCII one'],
    ['/efs%c2%a0', 'a letter that stands for an ASCII one'],
  ])('%j has more than one reading: %s', (raw, odd) => {
    expect(canonicalPath(raw)).toMatchObject({ odd });
  });
});

describe('every path at all', () => {
  const judged = (raw: string) => {
    const path = canonicalPath(raw);
    return 'refused' in path || path.odd !== null ? null : path.key;
  };

  test('is refused, or odd, or means one thing to every kind of server', () => {
    let plain = 0;
    fc.assert(
      fc.property(anyPath, target => {
        const raw = splitTarget(target).path;
        const key = judged(raw);
        if (key === null) return;
        plain += 1;
        for (const [server, read] of Object.entries(serverReadings))
          expect(asciiLowerCase(read(raw)), `${JSON.stringify(raw)} to a server that ${server}`).toBe(key);
        const { before, after } = asciiAfterFolding(raw);
        for (const folded of after) expect(folded.length, raw).toBeLessThanOrEqual(before.length);
      }),
      { numRuns: 4_000 },
    );
    expect(plain).toBeGreaterThan(100);
  });

  test('is forwarded as judged: the engine’s URL parser leaves its reading alone', () => {
    fc.assert(
      fc.property(anyPath, target => {
        const raw = splitTarget(target).path;
        if (judged(raw) === null) return;
        const { pathname, origin } = new URL(raw, 'http://legacy.example:81');
        expect(origin).toBe('http://legacy.example:81');
        expect(canonicalPath(pathname)).toEqual(canonicalPath(raw));
      }),
      { numRuns: 3_000 },
    );
  });

  test('never makes the judge fail, and an odd one has its own key among its readings', () => {
    fc.assert(
      fc.property(fc.oneof(anyPath, fc.string({ unit: 'binary' })), raw => {
        const path = canonicalPath(raw);
        const all = readings(raw);
        if ('key' in path && all) expect(all).toContain(path.key);
      }),
      { numRuns: 3_000 },
    );
  });
});

test('readings of an odd path are all the places it could lead to', () => {
  expect(readings('/wiki/a%2F..%2Fb;v=1')).toEqual(expect.arrayContaining(['/wiki/a/../b;v=1', '/wiki/a/../b', '/wiki/b']));
  expect(readings('/wiki/x/..;/../efs')).toEqual(expect.arrayContaining(['/efs']));
  expect(readings('/wiki%255c..%255cefs')).toEqual(expect.arrayContaining(['/efs']));
  expect(readings('/wiki/%ef%bc%8e%ef%bc%8e/efs')).toEqual(expect.arrayContaining(['/efs']));
});

test('a target is cut at its first question mark, and nowhere else', () => {
  expect(splitTarget('/efs/x?y?z=/../#')).toEqual({ path: '/efs/x', query: '?y?z=/../#' });
  expect(splitTarget('/efs')).toEqual({ path: '/efs', query: '' });
});
