import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Catalogue } from '#config/catalogue.ts';
import type { Settings } from '#config/settings.ts';
import type { Policies } from '#policies/policies.ts';
import type { Store } from '#store/database.ts';

/** All that the administration asks of those who run it. */
export type AdminDeps = {
  store: Store;
  policies: Policies;
  catalogue: Catalogue;
  settings: Pick<Settings, 'adminAwayMinutes' | 'code' | 'signIn' | 'invitationDays'>;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** `code` keys the hashes of security codes, `seal` encrypts codes and links that wait in the outbox; 32 bytes each. */
  keys: { code: Buffer; seal: Buffer };
  /** The whole address at which a password is chosen with the token of a one-time link. */
  setPasswordAddress(token: string): string;
  /** Tells the outbox worker that something waits; must not throw and is not awaited. */
  deliverSoon(): void;
  /** The one validator of return addresses, for the portal's own pages: a local path, or "/" for anything else. */
  returnPath(input: unknown): string;
  /** Where to sign in and come back to this path of the portal. */
  signInAddress(path: string): string;
  /** Answers with one of the gateway's problem pages. */
  problem(request: FastifyRequest, reply: FastifyReply, code: 'not-found' | 'rights-not-known'): FastifyReply;
};
