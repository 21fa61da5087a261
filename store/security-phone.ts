import type { Change } from './database.ts';
import { setSecurityPhone } from './people.ts';
import { endCodes } from './security-codes.ts';
import { forgetAdminSeen } from './step-up.ts';

/** Nothing of the number is left: neither stored, nor waiting in a code, nor vouching for an open session. */
export async function forgetSecurityPhone(tx: Change, person: number, now: number): Promise<void> {
  await setSecurityPhone(tx, person, null, now);
  await endCodes(tx, person, now);
  await forgetAdminSeen(tx, person);
}
