import type { Defence } from './defence.ts';
import { clientHeaders, messages } from './messages.ts';
import { paths } from './paths.ts';
import { operation, signingIn } from './people.ts';
import { hosts, routing, sockets } from './routing.ts';
import { returns, sessions } from './sessions.ts';

export const defences: readonly Defence[] = [
  ...[...paths, ...routing, ...sockets, ...hosts, ...clientHeaders, ...messages],
  ...[...returns, ...sessions, ...signingIn, ...operation],
];

/** Rows whose defence is in Node itself, which has no switch for it. */
export const nothingToTakeOut: readonly { row: number; reason: string }[] = [
  { row: 60, reason: 'Node ends a request after 16 KB of chunk extensions, by a constant of its parser that no option changes.' },
];
