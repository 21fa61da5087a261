import { posix } from 'node:path';

/**
 * How servers of many kinds read the path of a request, each written down on its own and without a look at the gateway's code: whatever
 * the gateway lets through must mean the same to all of them.
 */
export const serverReadings: Readonly<Record<string, (raw: string) => string>> = {
  'decodes once': decode,
  'decodes twice': raw => decode(decode(raw)),
  'is addressed through a URL parser': raw => decode(new URL(`http://legacy.example${raw}`).pathname),
  'removes dot segments': raw => withoutDots(decode(raw)),
  'removes dot segments before decoding': raw => decode(withoutDots(raw)),
  'merges slashes': raw => decode(raw).replace(/\/+/g, '/'),
  'takes a backslash for a slash': raw => withoutDots(decode(raw).replaceAll('\\', '/')),
  'cuts path parameters off': raw => withoutDots(decode(raw.replace(/;[^/]*/g, ''))),
  'cuts path parameters off after decoding': raw => withoutDots(decode(raw).replace(/;[^/]*/g, '')),
  'ends at a zero byte': raw => decode(raw).split('\0', 1)[0] ?? '',
  'ends at a line end': raw => decode(raw).split(/[\r\n]/, 1)[0] ?? '',
  'ends at a question mark or hash, once decoded': raw => decode(raw).split(/[?#]/, 1)[0] ?? '',
  'drops dots and spaces at the end of names': raw => withoutDots(decode(raw)).replace(/([^/])[. ]+(?=\/|$)/g, '$1'),
  'takes streams for their file': raw => decode(raw).replace(/:[^/]*\$[^/]*/g, ''),
};

function decode(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function withoutDots(path: string): string {
  if (!path.startsWith('/')) return path;
  return path.split('/').some(segment => segment === '.' || segment === '..') ? posix.normalize(path) : path;
}

/** What a server that folds Unicode makes of it: ASCII letters that were not there before. */
export function asciiAfterFolding(raw: string): { before: string; after: string[] } {
  const text = Buffer.from(decode(raw), 'latin1').toString('utf8');
  const ascii = (some: string) => some.replace(/[^\x20-\x7e]/g, '').toLowerCase();
  return { before: ascii(text), after: [ascii(text.normalize('NFKC')), ascii(text.toLowerCase())] };
}

export const asciiLowerCase = (text: string): string => text.replace(/[A-Z]/g, letter => letter.toLowerCase());
