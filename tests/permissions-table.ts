import type { RouteRule } from '#views/route-rules.ts';
import type { Answer } from './app.ts';
import { type Persona, personas } from './permissions-personas.ts';

export type Outcome = 'served' | 'sign-in' | 'code' | 'refused' | 'not-found';
export type Row = Exclude<RouteRule, 'asset'> | 'signed-in, of an organisation';

const outcomes = (...row: Outcome[]) =>
  Object.fromEntries(personas.map((persona, index) => [persona, row[index]])) as Record<Persona, Outcome>;

/** What a rule means, in the order of the personas. A route has nothing to add to this but the name of its rule. */
export const table: Record<Row, Record<Persona, Outcome>> = {
  public: outcomes('served', 'served', 'served', 'served', 'served', 'served'),
  page: outcomes('sign-in', 'refused', 'refused', 'refused', 'refused', 'served'),
  'signed-in': outcomes('sign-in', 'served', 'served', 'served', 'served', 'served'),
  'signed-in, of an organisation': outcomes('sign-in', 'served', 'served', 'not-found', 'not-found', 'served'),
  'organisation-administrator': outcomes('sign-in', 'refused', 'served', 'served', 'refused', 'served'),
  'organisation-administrator-with-code': outcomes('sign-in', 'refused', 'code', 'not-found', 'not-found', 'served'),
};

/** The outcome in the table's word if the answer is that, and otherwise what was answered. */
export function sayOutcome({ status, url, headers }: Answer, wanted: Outcome): string {
  const to = headers.location === undefined ? null : new URL(String(headers.location), url);
  const toSignIn = status < 400 && to?.pathname === '/sign-in';
  const isAboutCode = /^\/security-(phone|code)/.test(new URL(url).pathname);
  const toCode = status === 303 && to?.pathname === '/security-code' && !isAboutCode;
  const is: Record<Outcome, boolean> = {
    // Signing out and choosing a password end at the sign-in page, which then says so.
    served: status < 400 && !toCode && (!toSignIn || to.searchParams.has('reason')),
    'sign-in': toSignIn,
    code: toCode,
    refused: status === 403,
    'not-found': status === 404,
  };
  return is[wanted] ? wanted : `${status} ${to?.pathname ?? ''}`;
}
