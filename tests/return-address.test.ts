import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { councilCatalogue } from '#config/demo/catalogue.ts';
import { createReturnAddresses } from '#gateway/return-address.ts';

const catalogue = councilCatalogue();
const returnAddress = createReturnAddresses(catalogue);
const origins = new Set([catalogue.portal.origin, ...catalogue.sites.map(({ origin }) => origin)]);
const corpus = JSON.parse(readFileSync(new URL('./attacks/return-addresses.json', import.meta.url), 'utf8')) as {
  text: string;
  why: string;
}[];

describe('an address to come back to', () => {
  test.each([
    ['/', { href: 'https://portal.hants.gov.uk/', host: 'portal.hants.gov.uk', path: '/', portal: true }],
    ['/organisations/7/people?q=a%20b', { path: '/organisations/7/people?q=a%20b', portal: true }],
    ['https://portal.hants.gov.uk/help', { path: '/help', portal: true }],
    ['https://www3.hants.gov.uk/efs/?a=1&b=//x', { host: 'www3.hants.gov.uk', path: '/efs/?a=1&b=//x', portal: false }],
    ['HTTPS://WWW3.hants.gov.uk:443/efs/', { href: 'https://www3.hants.gov.uk/efs/' }],
    ['https://www3.hants.gov.uk/efs/#top', { href: 'https://www3.hants.gov.uk/efs/' }],
    ['https://www.hants.gov.uk', { path: '/' }],
  ])('%s is accepted', (text, address) => {
    expect(returnAddress(text)).toMatchObject(address);
  });

  test.each(corpus)('$text is refused: $why', ({ text }) => {
    expect(returnAddress(text)).toBeNull();
  });

  test.each([undefined, null, 7, ['/'], { toString: () => '/' }, `/${'x'.repeat(4096)}`].map(value => [value]))('%s is refused', value => {
    expect(returnAddress(value)).toBeNull();
  });
});

const pieces = [
  '/',
  '//',
  '\\',
  '\t',
  '\n',
  '\r',
  '\0',
  ' ',
  '@',
  ':',
  '.',
  '..',
  '#',
  '?',
  '%2f',
  '%5c',
  '%09',
  'https:',
  'http://',
  'https://',
];
const names = [
  'evil.example',
  'portal.hants.gov.uk',
  'www3.hants.gov.uk',
  '[::1]',
  '\u3002',
  '\uff0f',
  '\u2028',
  ':443',
  ':8443',
  'user',
  'efs',
];
const awkward = fc.array(fc.oneof(fc.constantFrom(...pieces, ...names), fc.string({ unit: 'binary', maxLength: 2 })), { maxLength: 9 });

test('nothing accepted ever leads away, however a browser resolves it', () => {
  let accepted = 0;
  fc.assert(
    fc.property(
      fc.oneof(
        awkward,
        awkward.map(parts => ['/', ...parts]),
        awkward.map(parts => ['https://portal.hants.gov.uk', ...parts]),
      ),
      parts => {
        const address = returnAddress(parts.join(''));
        if (!address) return;
        accepted += 1;
        expect(address.href).not.toMatch(/[^\x21-\x7e]|\\/);
        for (const base of ['https://portal.hants.gov.uk/sign-in', 'https://evil.example/', 'http://www3.hants.gov.uk/x/y'])
          expect(origins, address.href).toContain(new URL(address.href, base).origin);
        // What the portal answers with, on a page of its own.
        expect(origins, address.location).toContain(new URL(address.location, 'https://portal.hants.gov.uk/sign-in').origin);
        // On the portal, and behind a site's origin, the path is what goes into a Location header.
        expect(new URL(address.path, 'https://portal.hants.gov.uk/sign-in').origin, address.path).toBe('https://portal.hants.gov.uk');
        expect(new URL(address.href).hostname).toBe(address.host);
        expect(address.portal).toBe(address.host === 'portal.hants.gov.uk');
      },
    ),
    { numRuns: 5_000 },
  );
  expect(accepted).toBeGreaterThan(100);
});

test('what was accepted is accepted again, unchanged', () => {
  fc.assert(
    fc.property(awkward, parts => {
      const address = returnAddress(`/${parts.join('')}`);
      if (address) expect(returnAddress(address.href)).toEqual(address);
    }),
  );
});
