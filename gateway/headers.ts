import type { IncomingHttpHeaders } from 'node:http';

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
};

/** What is known of the request besides its headers. */
export type RequestFacts = {
  identity: Identity | null;
  host: string;
  protocol: 'http' | 'https';
  clientAddress: string;
  ownCookies: ReadonlySet<string>;
};

type Headers = Record<string, string | string[]>;

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

/** Some servers read `_` and `.` in a header's name as `-` (CVE-2025-64484, CVE-2026-88011): so do we, when we look for claims. */
function looksLikeClaim(name: string): boolean {
  const plain = name.replace(/[^a-z0-9]/g, '-');
  return CLAIMS.test(plain) || WORDS.test(plain);
}

/** Headers for the legacy server: the client's, less what is ours or could pose as ours, plus who the gateway says is there. */
export function requestHeaders(incoming: IncomingHttpHeaders, facts: RequestFacts): Headers {
  const named = namedByConnection(incoming.connection);
  const outgoing: Headers = {};
  for (const name in incoming) {
    const value = incoming[name];
    // Node has answered `Expect: 100-continue` by now, and undici refuses to send it.
    if (value === undefined || HOP_BY_HOP.has(name) || named.has(name) || name === 'expect' || looksLikeClaim(name)) continue;
    outgoing[name] = value;
  }
  const cookie = withoutCookies(incoming.cookie, facts.ownCookies);
  if (cookie) outgoing.cookie = cookie;
  else delete outgoing.cookie;

  outgoing.host = facts.host;
  outgoing['x-forwarded-for'] = facts.clientAddress;
  outgoing['x-forwarded-proto'] = facts.protocol;
  outgoing['x-forwarded-host'] = facts.host;
  if (facts.identity) Object.assign(outgoing, identityHeaders(facts.identity));
  return outgoing;
}

function identityHeaders(identity: Identity): Headers {
  const headers: Headers = {
    'remote-user': headerText(identity.userId),
    'remote-name': headerText(identity.name),
    'remote-groups': headerText(identity.organisationCode),
    'portal-organisation': headerText(identity.organisationName),
    'portal-organisation-code': headerText(identity.organisationCode),
    'portal-service': headerText(identity.service),
  };
  if (identity.email) headers['remote-email'] = headerText(identity.email);
  return headers;
}

/** Header values are ASCII: anything else, and the percent sign itself, goes as percent-encoded UTF-8. */
export const headerText = (text: string): string => text.replace(/[^\x20-\x24\x26-\x7e]/gu, encodeCharacter);

function encodeCharacter(character: string): string {
  return [...Buffer.from(character, 'utf8')].map(byte => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
}

function namedByConnection(connection: string | undefined): Set<string> {
  if (!connection || connection === 'keep-alive' || connection === 'close') return NONE;
  return new Set(connection.split(',').map(name => name.trim().toLowerCase()));
}
const NONE: Set<string> = new Set();

/** The cookie header without the named cookies; cut at every semicolon, quoted or not, so that no quoting hides one of ours. */
export function withoutCookies(header: string | undefined, names: ReadonlySet<string>): string {
  if (!header) return '';
  return header
    .split(';')
    .map(pair => pair.trim())
    .filter(pair => pair !== '' && !names.has((pair.split('=', 1)[0] ?? '').trim()))
    .join('; ');
}

/** What is known of an answer besides its headers. */
export type ResponseFacts = { origin: string; upstream: string; kind: 'protected' | 'open' | 'shared'; ownCookies: ReadonlySet<string> };

/** Headers for the browser: the legacy server's, kept out of shared caches, its redirects on the site's own origin. */
export function responseHeaders(incoming: IncomingHttpHeaders, facts: ResponseFacts): Headers {
  const named = namedByConnection(incoming.connection);
  const outgoing: Headers = {};
  for (const name in incoming) {
    const value = incoming[name];
    if (value === undefined || HOP_BY_HOP.has(name) || named.has(name)) continue;
    outgoing[name] = value;
  }
  if (outgoing['set-cookie']) {
    const kept = [outgoing['set-cookie']].flat().filter(cookie => !facts.ownCookies.has(nameSetBy(cookie)));
    if (kept.length > 0) outgoing['set-cookie'] = kept;
    else delete outgoing['set-cookie'];
  }
  if (typeof outgoing.location === 'string') outgoing.location = onSite(outgoing.location, facts);
  if (facts.kind !== 'open') keepPrivate(outgoing, facts.kind);
  return outgoing;
}

/** The name a browser will send back: `=name=value` sets a cookie without a name whose text reads like one with it. */
const nameSetBy = (cookie: string): string => (cookie.replace(/^[\s=]+/, '').split(/[=;]/, 1)[0] ?? '').trim();

/** The legacy server may know itself by its own address or by plain http: either is this site to the browser. */
function onSite(location: string, facts: ResponseFacts): string {
  const match = /^https?:\/\/([^/?#]*)(.*)$/is.exec(location);
  if (!match) return location;
  const host = match[1]?.toLowerCase();
  const site = new URL(facts.origin);
  const own = host === site.host || host === site.hostname || host === new URL(facts.upstream).host;
  return own ? facts.origin + (match[2] ?? '') : location;
}

/** A page seen by right must be asked for again after the right has gone: no shared cache may keep it, a browser must revalidate. */
function keepPrivate(headers: Headers, kind: 'protected' | 'shared'): void {
  const said = String(headers['cache-control'] ?? '').toLowerCase();
  const maxAge = /max-age=[0-9]+/.exec(said)?.[0];
  if (said.includes('no-store')) headers['cache-control'] = 'private, no-store';
  else headers['cache-control'] = kind === 'shared' && maxAge ? `private, ${maxAge}` : 'private, no-cache';
  for (const name of ['expires', 'pragma', 'surrogate-control', 'cdn-cache-control', 'x-accel-expires', 'x-accel-redirect'])
    delete headers[name];
}
