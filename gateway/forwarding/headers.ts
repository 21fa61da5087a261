import type { IncomingHttpHeaders } from 'node:http';
import { identityHeaders as allHeaders, type HeaderNames, type IdentityHeader, plainName, usualNames } from '#config/catalogue-headers.ts';

/**
 * The rules for headers in both directions, as pure functions: HTTP and WebSocket requests go through the same one, so that
 * neither can leak our cookie or carry a client's own idea of who it is.
 */

/** Who the legacy page is told is there. Null on open pages: nothing is said. */
export type Identity = {
  userId: string;
  name: string;
  email: string | null;
  organisationCode: string;
  organisationName: string;
  service: string;
  /** The same, signed. */
  token: string;
};

/** What is known of the request besides its headers. */
export type RequestFacts = {
  /** From `identityHeaders`. */
  identity: readonly string[] | null;
  host: string;
  /** The host the legacy server expects instead; null when it knows itself by the site's. */
  toldHost: string | null;
  protocol: 'http' | 'https';
  clientAddress: string;
  ownCookies: ReadonlySet<string>;
  /** From `createFilter`. */
  endsHere(name: string): boolean;
};

const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

// `proxy` is httpoxy (CVE-2016-5385). The others name a person, an address or a path that somebody behind us might believe.
const CLAIMS =
  /^(?:remote|portal|forwarded|proxy|via|cf|true-client|client-cert|auth|oidc|iv-user|sm|smuser|ssl-client|ms-aspnetcore|tailscale|shib|eppn|mellon)(?:-|$)|^x-(?:remote|portal|forwarded|original|rewrite|real|auth|authenticated|authentik|authelia|webauth|user|pomerium|vouch|goog|ms-client|client|cluster-client|envoy|accel|sendfile|middleware|gateway|ssl|sso|lite-remote-user|host|arr|iis)(?:-|$)/;

// Gateways invent a name each: what they have in common is a word for who somebody is (CVE-2026-30851, CVE-2026-33433).
const WORDS =
  /^x-(?:[a-z0-9-]+-)?(?:user|username|userid|userinfo|email|groups?|roles?|login|identity|principal|subject|claims?|oidc|saml|jwt|oauth|id-token|access-token|consumer|host)(?:-|$)/;

// Written anew for every request. `Expect: 100-continue` has been answered by now.
const OURS = new Set(['host', 'cookie', 'expect']);

const KEPT_VERDICTS = 1_000;

/**
 * Whether a client's header ends here. Browsers send the same few names again and again, so what was found out is kept.
 * @param names all that the catalogue has for who is there: what one page is told in them, a client may say to no page
 */
export function createFilter(names: Iterable<string> = []): RequestFacts['endsHere'] {
  const taken = new Set(Array.from(names, plainName));
  const verdicts = new Map<string, boolean>();
  return name => {
    const known = verdicts.get(name);
    if (known !== undefined) return known;
    // Some servers read `_` and `.` in a header's name as `-` (CVE-2025-64484, CVE-2026-88011): so do we, when we look for claims.
    const plain = plainName(name);
    const verdict = HOP_BY_HOP.has(name) || OURS.has(name) || CLAIMS.test(plain) || WORDS.test(plain) || taken.has(plain);
    if (verdicts.size < KEPT_VERDICTS) verdicts.set(name, verdict);
    return verdict;
  };
}

/**
 * Headers for the legacy server: the client's, less what is ours or could pose as ours, plus who the gateway says is there.
 * @returns name, value, name, value, …; no name of ours stands there twice, since none of the client's gets here
 */
export function requestHeaders(incoming: IncomingHttpHeaders, facts: RequestFacts): string[] {
  const named = namedByConnection(incoming.connection);
  const outgoing = ['host', facts.toldHost ?? facts.host];
  outgoing.push('x-forwarded-for', facts.clientAddress, 'x-forwarded-proto', facts.protocol, 'x-forwarded-host', facts.host);
  for (const name in incoming) {
    const value = incoming[name];
    if (value === undefined || facts.endsHere(name) || named.has(name)) continue;
    if (typeof value === 'string') outgoing.push(name, value);
    else for (const one of value) outgoing.push(name, one);
  }
  const cookie = withoutCookies(incoming.cookie, facts.ownCookies);
  if (cookie) outgoing.push('cookie', cookie);
  if (facts.identity) outgoing.push(...facts.identity);
  return outgoing;
}

/** Who is there, as the legacy page reads it: name, value, name, value, … */
export function identityHeaders(identity: Identity, names: HeaderNames = usualNames): string[] {
  const values: Record<IdentityHeader, string | null> = {
    'remote-user': identity.userId,
    'remote-name': identity.name,
    'remote-email': identity.email,
    'remote-groups': identity.organisationCode,
    'portal-organisation': identity.organisationName,
    'portal-organisation-code': identity.organisationCode,
    'portal-service': identity.service,
    'portal-identity': identity.token,
  };
  return allHeaders.flatMap(header => (values[header] === null ? [] : [names[header], headerText(values[header])]));
}

/** Header values are ASCII: anything else, and the percent sign itself, goes as percent-encoded UTF-8. */
export const headerText = (text: string): string => text.replace(/[^\x20-\x24\x26-\x7e]/gu, encodeCharacter);

function encodeCharacter(character: string): string {
  return [...Buffer.from(character, 'utf8')].map(byte => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
}

function namedByConnection(connection: string | undefined): ReadonlySet<string> {
  if (!connection || connection === 'keep-alive' || connection === 'close') return NONE;
  return new Set(connection.split(',').map(name => name.trim().toLowerCase()));
}
const NONE: ReadonlySet<string> = new Set();

/** The cookie header without the named cookies; cut at every semicolon, quoted or not, so that no quoting hides one of ours. */
export function withoutCookies(header: string | undefined, names: ReadonlySet<string>): string {
  let kept = '';
  for (let start = 0; header && start <= header.length; ) {
    const semicolon = header.indexOf(';', start);
    const end = semicolon < 0 ? header.length : semicolon;
    const pair = header.slice(start, end).trim();
    if (pair !== '' && !names.has(nameIn(pair))) kept += kept === '' ? pair : `; ${pair}`;
    start = end + 1;
  }
  return kept;
}

function nameIn(pair: string): string {
  const equals = pair.indexOf('=');
  return equals < 0 ? pair : pair.slice(0, equals).trim();
}

/** What is known of an answer besides its headers; the same for every answer of a page. */
export type ResponseFacts = {
  origin: string;
  /** Under which the legacy server may know itself, in its redirects. */
  ownHosts: ReadonlySet<string>;
  kind: 'protected' | 'open' | 'shared';
  ownCookies: ReadonlySet<string>;
};

export function responseFacts(
  origin: string,
  upstream: string,
  kind: ResponseFacts['kind'],
  ownCookies: ReadonlySet<string>,
): ResponseFacts {
  const site = new URL(origin);
  return { origin, ownHosts: new Set([site.host, site.hostname, new URL(upstream).host]), kind, ownCookies };
}

/**
 * Headers for the browser: the legacy server's, kept out of shared caches, its redirects on the site's own origin.
 * @param incoming name, value, name, value, …, as they came (Latin-1); so is what is returned
 */
export function responseHeaders(incoming: readonly string[], facts: ResponseFacts): string[] {
  const named = namedByConnection(valuesOf(incoming, 'connection'));
  const outgoing: string[] = [];
  for (let index = 0; index < incoming.length; index += 2) {
    const name = incoming[index]!;
    const value = incoming[index + 1]!;
    const plain = name.toLowerCase();
    if (HOP_BY_HOP.has(plain) || named.has(plain)) continue;
    if (facts.kind !== 'open' && CACHING.has(plain)) continue;
    if (plain === 'set-cookie' && facts.ownCookies.has(nameSetBy(value))) continue;
    outgoing.push(name, plain === 'location' ? onSite(value, facts) : value);
  }
  if (facts.kind !== 'open') outgoing.push('cache-control', privately(facts.kind, valuesOf(incoming, 'cache-control')));
  return outgoing;
}

/** Every value of a header, joined as RFC 9110 §5.3 joins them. */
export function valuesOf(headers: readonly string[], name: string): string {
  let joined = '';
  for (let index = 0; index < headers.length; index += 2) {
    const candidate = headers[index]!;
    if (candidate.length === name.length && candidate.toLowerCase() === name) joined += `${joined && ','}${headers[index + 1]}`;
  }
  return joined;
}

/**
 * A part of a header without the spaces and tabs around it. `trim` takes U+00A0 too: in Latin-1 that is a letter, and a neighbouring host
 * can hide a `__Host-` name from browsers behind it.
 */
export function unpadded(text: string, start = 0, end = text.length): string {
  let [from, to] = [start, end];
  while (from < to && isBlank(text.charCodeAt(from))) from += 1;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to -= 1;
  return text.slice(from, to);
}

const [SPACE, TAB] = [32, 9];
const isBlank = (code: number) => code === SPACE || code === TAB;

/** Whether an answer goes on for as long as its page is open. Media types have no case (RFC 9110 §8.3.1), neither to a browser. */
export const isEventStream = (contentType: string): boolean => /^text\/event-stream(?![^\s;,])/i.test(contentType);

/** The name a browser will send back: `=name=value` sets a cookie without a name whose text reads like one with it. */
const nameSetBy = (cookie: string): string => (cookie.replace(/^[\s=]+/, '').split(/[=;]/, 1)[0] ?? '').trim();

/** The legacy server may know itself by its own address or by plain http: either is this site to the browser. */
function onSite(location: string, { origin, ownHosts }: ResponseFacts): string {
  const match = /^https?:\/\/([^/?#]*)(.*)$/is.exec(location);
  return match && ownHosts.has(match[1]!.toLowerCase()) ? origin + match[2] : location;
}

const CACHING = new Set([
  'cache-control',
  'expires',
  'pragma',
  'surrogate-control',
  'cdn-cache-control',
  'x-accel-expires',
  'x-accel-redirect',
]);

/** A page seen by right must be asked for again after the right has gone: no shared cache may keep it, a browser must revalidate. */
function privately(kind: 'protected' | 'shared', said: string): string {
  const wishes = said.toLowerCase();
  if (wishes.includes('no-store')) return 'private, no-store';
  const maxAge = kind === 'shared' ? /max-age=[0-9]+/.exec(wishes)?.[0] : undefined;
  return maxAge ? `private, ${maxAge}` : 'private, no-cache';
}
