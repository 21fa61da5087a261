import { isUtf8 } from 'node:buffer';

/** Our own addresses on every site, the hand-off among them; whatever a legacy server has there cannot be reached. */
export const reservedPrefix = '/.portal';

export type Address = { origin: string; host: string; path: string };

/**
 * Splits an absolute address without letting the URL parser tidy its path first.
 * Returns a sentence saying what is wrong instead, if anything is.
 */
export function readAddress(text: string): Address | string {
  const parts = /^(https?:\/\/[^/?#\\]+)(\/.*)$/s.exec(text);
  if (!parts) return 'must be a full web address that starts with http:// or https:// and has a path, like https://www.example.org/page';
  const [, origin = '', path = ''] = parts;
  const wrong = originFault(origin) ?? pathFault(path);
  return wrong ?? { origin, host: new URL(origin).hostname, path };
}

/** What is wrong with an origin (scheme, lower-case name, port if unusual, nothing else); null when it is right. */
export function originFault(text: string): string | null {
  if (!URL.canParse(text) || !/^https?:\/\//.test(text)) return 'must start with http:// or https:// and name a host';
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') return 'must not carry a user name or password';
  if (url.search !== '' || url.hash !== '' || text.includes('?') || text.includes('#')) return 'must not have a query or a fragment';
  if (url.origin !== text || url.hostname.endsWith('.'))
    return `must be only a scheme and a lower-case host, with nothing after it: ${url.protocol}//${url.host.replace(/\.$/, '')}`;
  return null;
}

/**
 * What is wrong with a path of the catalogue; null when it is in the one canonical form.
 * Requests are compared with these paths after strict checks, so a path written any other way could never match, or worse, match something else.
 */
export function pathFault(path: string): string | null {
  if (!path.startsWith('/')) return 'the path must start with /';
  if (/[?#]/.test(path)) return 'the path must not have a query or a fragment; write it up to the ? or #';
  if (path.includes('//')) return 'the path must not have two slashes together';
  if (/[;\\]/.test(path)) return 'the path must not have ; or a backslash in it; old servers read those in different ways';
  if (!/^(?:[A-Za-z0-9\-._~!$&'()*+,=:@/]|%[0-9A-F]{2})*$/.test(path))
    return 'the path must be written as browsers send it: no spaces, capitals in %C3, letters beyond ASCII as %..';
  const encoded = encodingFault(path);
  if (encoded) return encoded;
  return (
    path
      .split('/')
      .map(segmentFault)
      .find(wrong => wrong !== null) ?? null
  );
}

function encodingFault(path: string): string | null {
  for (const [encoded] of path.matchAll(/%[0-9A-F]{2}/g)) {
    const byte = Number.parseInt(encoded.slice(1), 16);
    if (byte < 0x20 || byte === 0x7f) return `the path must not have the control character ${encoded}`;
    if (/[A-Za-z0-9\-._~!$&'()*+,=:@/;\\%]/.test(String.fromCharCode(byte)))
      return `the path must not have ${encoded}: two servers can read it in two ways`;
  }
  try {
    decodeURIComponent(path);
    return null;
  } catch {
    return 'the path must be UTF-8 where it has % signs';
  }
}

function segmentFault(segment: string): string | null {
  if (segment === '.' || segment === '..') return 'the path must not have . or .. as a segment';
  if (segment.endsWith('.') || segment.endsWith('%20'))
    return 'no segment of the path may end with a dot or a space; Windows servers drop them';
  if (/~[0-9]/.test(segment) || segment.includes('::$'))
    return 'the path must not have ~1 or ::$ in it; Windows servers read another name there';
  return null;
}

const windows1252 = new TextDecoder('windows-1252');

/**
 * The names of a path as old servers compare them, from its decoded bytes (as Latin-1): without case, composed or not, and in either
 * encoding. IIS reads what is no UTF-8 in its Windows code page, so that `caf%E9` and `CAF%C3%89` are one folder to it. Name by name,
 * because on other servers a stray byte in one name changes nothing about the others.
 */
export function foldNames(bytes: string): string {
  if (!/[\x80-\xff]/.test(bytes)) return bytes.replace(/[A-Z]+/g, capitals => capitals.toLowerCase());
  return bytes.split('/').map(foldName).join('/');
}

function foldName(bytes: string): string {
  const name = Buffer.from(bytes, 'latin1');
  return (isUtf8(name) ? name.toString('utf8') : windows1252.decode(name)).normalize('NFC').toLowerCase();
}

/** The key under which two paths are the same page: old servers ignore case, and a final slash seldom means anything else. */
export function pathKey(path: string): string {
  const folded = foldNames(path.replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))));
  return folded === '/' ? folded : folded.replace(/\/$/, '');
}

/** True when a prefix covers a path, by whole segments and without case. */
export function covers(prefix: string, path: string): boolean {
  const [outer, inner] = [pathKey(prefix), pathKey(path)];
  return outer === '/' || inner === outer || inner.startsWith(`${outer}/`);
}
