/**
 * One canonical form of a request's path: the string that is judged. What is forwarded are the very bytes it was made from, so a
 * path whose readings could differ between us and an old server behind us must never be judged by only one of them.
 */

/** `key` is what pages are compared by, once its names are folded: the decoded bytes (as Latin-1) in lower-case ASCII, because old servers ignore case. */
export type CanonicalPath = { key: string; odd: string | null };
export type PathRefusal = { refused: string };

const PLAIN = /^(?=\/)(?:\/[A-Za-z0-9_\-!$&'()*+,=@][A-Za-z0-9_\-!$&'()*+,=@]*(?:\.[A-Za-z0-9_\-!$&'()*+,=@]+)*)*\/?$/;
const asciiLower = (text: string) => text.replace(/[A-Z]+/g, capitals => capitals.toLowerCase());

/**
 * Reads the path part of a request target (RFC 9112 §3.2.1), without its query.
 * @returns the key and, if another server could read the path otherwise, why it is odd; or why it is refused whatever the page says.
 */
export function canonicalPath(raw: string): CanonicalPath | PathRefusal {
  if (PLAIN.test(raw)) return { key: asciiLower(raw), odd: null };
  if (raw[0] !== '/') return { refused: 'not an absolute path' };
  if (/[^\x21-\x7e]/.test(raw) || raw.includes('#')) return { refused: 'a character that must be escaped' };
  if (/%(?![0-9A-Fa-f]{2})/.test(raw)) return { refused: 'a malformed escape' };
  const decoded = decodeOnce(raw);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control bytes are exactly what is looked for
  if (/[\x00-\x1f\x7f]/.test(decoded)) return { refused: 'a control character' };
  if (OVERLONG.test(decoded)) return { refused: 'an overlong UTF-8 sequence' };
  if (SHORT_NAME.test(decoded)) return { refused: 'a short file name' };
  return { key: asciiLower(decoded), odd: oddity(raw, decoded) };
}

/** Splits a request target into its path and its query (with the question mark, or empty). */
export function splitTarget(target: string): { path: string; query: string } {
  const mark = target.indexOf('?');
  return mark < 0 ? { path: target, query: '' } : { path: target.slice(0, mark), query: target.slice(mark) };
}

// Old Windows servers decoded C0 AF to a slash (CVE-2000-0884); %C0 followed by another Latin-1 letter is a harmless "À".
const OVERLONG = /[\xc0\xc1][\x80-\xbf]|\xe0[\x80-\x9f][\x80-\xbf]|\xf0[\x80-\x8f][\x80-\xbf]{2}/;
// PROGRA~1 is another name of a long file name on Windows; which one cannot be known here.
const SHORT_NAME = /~[0-9]/;
// Slashes of other alphabets that Windows' best-fit conversion turns into ours, and that Unicode normalisation leaves alone.
const FOREIGN_SLASH = /[⁄∕∖⧵⧸]/;

const decodeOnce = (text: string) => text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));

function oddity(raw: string, decoded: string): string | null {
  if (/%2f|%5c/i.test(raw) || raw.includes('\\')) return 'an encoded slash or a backslash';
  if (/%3f|%23/i.test(raw)) return 'an encoded question mark or hash';
  if (/%[0-9a-f]{2}/i.test(decoded)) return 'a double escape';
  if (decoded.includes(';')) return 'a path parameter';
  if (decoded.includes('//')) return 'an empty segment';
  if (/:.*\$/.test(decoded)) return 'a file stream';
  if (decoded.split('/').some(segment => /[. ]$/.test(segment))) return 'a dot segment, or a dot or space at the end of a segment';
  if (hidesAscii(decoded)) return 'a letter that stands for an ASCII one';
  return null;
}

/** Full-width dots, the Kelvin sign, a dotless i: servers that normalise or fold Unicode read them as ASCII (CVE-2026-129850). */
function hidesAscii(decoded: string): boolean {
  if (!/[\x80-\xff]/.test(decoded)) return false;
  // Leniently: Latin-1, as old sites have it, becomes characters that fold into nothing, and cannot hide a neighbour that does.
  const text = Buffer.from(decoded, 'latin1').toString('utf8');
  // What is no UTF-8 is Latin-1 to somebody, where a small raised a or 1 is a letter of its own.
  const read = text.includes('\ufffd') ? text + decoded : text;
  return [...read].some(character => {
    if (character <= '\x7f') return false;
    if (FOREIGN_SLASH.test(character)) return true;
    const folded = [character.normalize('NFKC'), character.toLowerCase(), character.toUpperCase()];
    return folded.some(form => form !== 'SS' && /[\x20-\x7e]/.test(form));
  });
}

/**
 * Every way a server might read an odd path, ours first; for a page marked `oddPaths` all of them must land on that page.
 * @returns the keys, or null when there are more readings than anybody writes by accident.
 */
export function readings(raw: string): string[] | null {
  const found = new Set<string>([decodeOnce(raw)]);
  for (const reading of found) {
    for (const step of STEPS) found.add(step(reading));
    if (found.size > 128) return null;
  }
  return [...found].map(asciiLower);
}

const STEPS: readonly ((path: string) => string)[] = [
  path => (/%(?![0-9A-Fa-f]{2})/.test(path) ? path : decodeOnce(path)),
  path => path.replaceAll('\\', '/'),
  path => path.replace(/;[^/]*/g, ''),
  path => path.replace(/;.*$/, ''),
  path => path.replace(/[?#].*$/, ''),
  path => path.replace(/\/{2,}/g, '/'),
  path => path.replace(/:[^/]*\$[^/]*/g, ''),
  path => path.replace(/[. ]+(?=\/|$)/g, tail => (tail === '.' || tail === '..' ? tail : '')),
  path => path.split('\0', 1)[0] ?? '',
  removeDotSegments,
  path => (/[\x80-\xff]/.test(path) ? foldUnicode(path) : path),
];

/** RFC 3986 §5.2.4, staying at the root when a path climbs above it. */
function removeDotSegments(path: string): string {
  const kept: string[] = [];
  const segments = path.split('/').slice(1);
  for (const segment of segments) {
    if (segment === '..') kept.pop();
    else if (segment !== '.') kept.push(segment);
  }
  const last = segments.at(-1);
  return `/${kept.join('/')}${(last === '.' || last === '..') && kept.length > 0 ? '/' : ''}`;
}

const foldUnicode = (path: string): string =>
  Buffer.from(
    Buffer.from(path, 'latin1').toString('utf8').normalize('NFKC').replace(/[⁄∕⧸]/g, '/').replace(/[∖⧵]/g, '\\'),
    'utf8',
  ).toString('latin1');
