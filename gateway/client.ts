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

/**
 * A picture, style or script that a page of ours, or of another host of ours, is made of. Such a request can go through the hand-off
 * and come back to its address. Not so for a foreign website, which no cookie of ours goes along with anyway, nor for `fetch` (its
 * destination is empty) and fonts (`cors`): a browser lets neither be led to another origin.
 */
export function isPartOfPage(method: string, headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site'];
  if (method !== 'GET' || (site !== 'same-origin' && site !== 'same-site')) return false;
  return headers['sec-fetch-mode'] === 'no-cors' && PARTS.has(String(headers['sec-fetch-dest']));
}

const PARTS = new Set(['image', 'style', 'script', 'audio', 'video']);
