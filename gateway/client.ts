import type { IncomingHttpHeaders } from 'node:http';

/**
 * Who is asking: a person whose browser shows a page, or a program that must not be handed a page it cannot use.
 * An `Accept` header that takes anything is a page: curl sends it, and htmx sends it when it goes back in history.
 */
export function wantsJson(headers: IncomingHttpHeaders): boolean {
  const mode = headers['sec-fetch-mode'];
  if (mode !== undefined && mode !== 'navigate') return true;
  if (headers['x-requested-with'] !== undefined) return true;
  const accept = headers.accept ?? '';
  return accept.includes('json') && !accept.includes('html');
}
