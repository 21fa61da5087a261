/** The headers in which a page is told who is there: the names they have unless the catalogue gives a page others. */
export const identityHeaders = [
  ...(['remote-user', 'remote-name', 'remote-email', 'remote-groups'] as const),
  ...(['portal-organisation', 'portal-organisation-code', 'portal-service', 'portal-identity'] as const),
] as const;

export type IdentityHeader = (typeof identityHeaders)[number];

/** Under which name each of them reaches a page. */
export type HeaderNames = Readonly<Record<IdentityHeader, string>>;

export const usualNames: HeaderNames = Object.fromEntries(identityHeaders.map(name => [name, name])) as HeaderNames;

// What they mean is HTTP's business, the browser's or the gateway's. Taken for a person's name they would break the request, and no
// page would hear of them from a browser any more, since what the gateway says a client may not.
const TAKEN =
  /^(?:host|cookie2?|set-cookie2?|connection|keep-alive|te|trailer|upgrade|expect|date|via|forwarded|authorization|origin|referer|user-agent|range|cache-control|pragma|max-forwards|dnt|last-event-id|x-requested-with|x-forwarded-(?:for|host|proto)|(?:accept|access-control|content|http2|if|proxy|sec|transfer)(?:-.*)?)$/;

/** How servers may read a header's name before they look for it: CGI, WSGI and PHP take `_` and `.` for `-` (CVE-2025-64484). */
export const plainName = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '-');

/** What is wrong with a name for one of the headers; null when it is right. */
export function headerNameFault(name: string): string | null {
  if (!/^[A-Za-z][A-Za-z0-9_-]*$/.test(name)) return 'must be the name of a header: a letter, then letters, digits, - and _';
  if (TAKEN.test(plainName(name))) return 'already means something else in HTTP; choose a name that only the application knows';
  return null;
}

/** The names of a page, from those it changes. */
export const namesWith = (changed: Partial<HeaderNames>): HeaderNames => ({ ...usualNames, ...changed });

/** What is wrong with the names of a page as a whole: none may stand for two things, however a server spells it. */
export function namesFault(changed: Partial<HeaderNames>): string | null {
  const seen = new Map<string, string>();
  for (const [header, name] of Object.entries(namesWith(changed))) {
    const other = seen.get(plainName(name));
    if (other) return `${name} would be both ${other} and ${header}; give each a name of its own`;
    seen.set(plainName(name), header);
  }
  return null;
}
