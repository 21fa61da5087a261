import type { Settings } from '#config/settings.ts';
import { addAttempt, clearAttempts, countAttempts } from '#store/attempts.ts';
import type { Store } from '#store/database.ts';
import { findIdentity } from '#store/identities.ts';
import { subjectKey } from '#store/names.ts';
import { person } from '#store/people.ts';
import type { IdentityKind } from '#store/tables.ts';
import type { Hashing } from './hashing.ts';

/** Where Education and council accounts have their passwords; never here. `subject` is the account's user ID there. */
export type Directory = { check(userId: string, password: string): Promise<{ subject: string } | null> };

export type CredentialsDeps = {
  store: Store;
  directory: Directory | null;
  hashing: Hashing;
  limits: Settings['signIn'];
  now: () => number;
};

export type Attempt = { name: string; password: string; address: string };
export type Checked = { outcome: 'right'; person: number; kind: IdentityKind } | { outcome: 'wrong' | 'throttled' };

/**
 * Checks a user ID or e-mail address and a password. Unknown and wrong are one outcome and take the same time; an account that was
 * tried too often is refused before any hash, whether it exists or not.
 */
export async function checkCredentials(deps: CredentialsDeps, attempt: Attempt): Promise<Checked> {
  const account = subjectKey(attempt.name);
  if (await isThrottled(deps, account, attempt.address)) return { outcome: 'throttled' };
  // Counted before it is checked: of a burst sent side by side, no more than the limit get as far as the hash.
  await addAttempt(deps.store.db, 'sign-in', account, deps.now());
  if ((await triesOf(deps, account)) > deps.limits.tries) return { outcome: 'throttled' };
  const found = account.includes('@')
    ? await checkRegistered(deps, account, attempt.password)
    : await checkDirectory(deps, account, attempt.password);
  if (found) {
    await clearAttempts(deps.store.db, 'sign-in', account);
    return { outcome: 'right', ...found };
  }
  const at = deps.now();
  await addAttempt(deps.store.db, 'sign-in-address', attempt.address, at);
  await addAttempt(deps.store.db, 'sign-in-pair', `${attempt.address} ${account}`, at);
  return { outcome: 'wrong' };
}

const TRIES_FROM_A_BUSY_ADDRESS = 3;

/**
 * A whole school may share one address, so an address that guesses a lot must not lock out its neighbours' right passwords: each
 * account merely gets fewer tries from there.
 */
async function isThrottled(deps: CredentialsDeps, account: string, address: string): Promise<boolean> {
  const { store, limits } = deps;
  if ((await triesOf(deps, account)) >= limits.tries) return true;
  const since = waitBegan(deps);
  if ((await countAttempts(store.db, 'sign-in-address', address, since)) < limits.addressTries) return false;
  return (await countAttempts(store.db, 'sign-in-pair', `${address} ${account}`, since)) >= TRIES_FROM_A_BUSY_ADDRESS;
}

const waitBegan = ({ limits, now }: CredentialsDeps): number => now() - limits.waitMinutes * 60_000;
const triesOf = (deps: CredentialsDeps, account: string) => countAttempts(deps.store.db, 'sign-in', account, waitBegan(deps));

async function checkRegistered({ store, hashing }: CredentialsDeps, account: string, password: string) {
  const identity = await findIdentity(store.db, 'local', account);
  const right = await hashing.verify(identity?.password_hash ?? null, password);
  return right && identity ? activePerson(store, identity.person_id, identity.kind) : null;
}

async function checkDirectory({ store, directory, hashing }: CredentialsDeps, account: string, password: string) {
  const known = (await directory?.check(account, password)) ?? null;
  await hashing.verify(null, password);
  const identity = known && (await findIdentity(store.db, 'directory', known.subject));
  return identity ? activePerson(store, identity.person_id, identity.kind) : null;
}

async function activePerson(store: Store, id: number, kind: IdentityKind) {
  const row = await person(store.db, id);
  return row?.active === 1 ? { person: id, kind } : null;
}
