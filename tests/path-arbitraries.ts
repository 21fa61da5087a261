import fc from 'fast-check';

const pieces = [
  ...[
    '/',
    '//',
    '\\',
    '.',
    '..',
    '...',
    './',
    '../',
    '/.',
    '/..',
    ';',
    ';x',
    ';x=y',
    '..;',
    ':',
    '::$DATA',
    ':$I30',
    '~',
    '~1',
    ' ',
    '+',
    '#',
    '?',
  ],
  ...[
    '%2f',
    '%2F',
    '%5c',
    '%2e',
    '%2E%2e',
    '%252e',
    '%25',
    '%00',
    '%09',
    '%0a',
    '%0d',
    '%20',
    '%3b',
    '%3f',
    '%23',
    '%7f',
    '%c0%ae',
    '%c0%af',
  ],
  ...[
    '%e0%80%af',
    '%ef%bc%8e',
    '%ef%bc%8f',
    '%e2%81%84',
    '%e2%88%95',
    '%e2%84%aa',
    '%c4%b1',
    '%c5%bf',
    '%c2%a0',
    '%e9',
    '%c3%a9',
    '%zz',
    '%',
    '%u002e',
  ],
  ...[
    '%61',
    '%41',
    '%2565',
    'a',
    'A',
    'efs',
    'EFS',
    'education',
    'governors',
    '%67overnors',
    'index.htm',
    '"',
    '<',
    '|',
    '^',
    '{',
    '\t',
    '\u00ff',
    '\u0130',
  ],
];

/** Request targets made of everything that has ever led a gateway and the server behind it to different places. */
export const awkwardTarget: fc.Arbitrary<string> = fc
  .array(fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...pieces) }, fc.string({ unit: 'binary-ascii', maxLength: 3 })), {
    maxLength: 8,
  })
  .map(parts => `/${parts.join('')}`);

/** Any bytes at all where a path should stand, as Latin-1: with a slash first and without, made of all that is awkward or of anything. */
export const anyPath: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: awkwardTarget },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 12 }).map(bytes => `/${Buffer.from(bytes).toString('latin1')}`) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 12 }).map(bytes => Buffer.from(bytes).toString('latin1')) },
  { weight: 1, arbitrary: awkwardTarget.map(target => target.slice(1)) },
  {
    weight: 1,
    arbitrary: fc
      .uint8Array({ maxLength: 6 })
      .map(bytes => `/${[...bytes].map(byte => `%${byte.toString(16).padStart(2, '0')}`).join('')}`),
  },
);

/** An address a person meant, disguised: some letters escaped once or twice, in capitals or full width, with things put in between. */
export function disguised(path: string): fc.Arbitrary<string> {
  const disguise = (character: string) =>
    fc.oneof({ weight: 20, arbitrary: fc.constant(character) }, { weight: 1, arbitrary: fc.constantFrom(...disguisesOf(character)) });
  return fc
    .tuple(
      fc.tuple(...[...path.slice(1)].map(disguise)),
      fc.constantFrom('', '', '', '.', '%20', '/', '//', ';x', '%00', '::$INDEX_ALLOCATION', '\\', '/.', '/x/..'),
    )
    .map(([characters, tail]) => `/${characters.join('')}${tail}`);
}

function disguisesOf(character: string): string[] {
  const hex = character.charCodeAt(0).toString(16);
  const wide = encodeURIComponent(String.fromCharCode(character.charCodeAt(0) + 0xfee0));
  const common = [`%${hex}`, `%${hex.toUpperCase()}`, `%25${hex}`, character.toUpperCase(), wide];
  return character === '/' ? [...common, '//', '/./', '/x/../', '\\', '/;/', '/x/..;/', '/%2e/'] : common;
}
