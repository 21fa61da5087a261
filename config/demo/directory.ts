import { createHash, timingSafeEqual } from 'node:crypto';
import { demoPeople } from './people.ts';

const foldUserId = (userId: string) => userId.normalize('NFKC').trim().toLowerCase();

const accounts = new Map(demoPeople.filter(person => person.kind !== 'registered').map(person => [foldUserId(person.userId), person]));

/** Stands in for the county's directory of Education and council accounts: the list in people.ts. */
export const demoDirectory = {
  /** The account's user ID as the directory writes it, or null: unknown and wrong look alike. Case of the user ID does not matter. */
  async check(userId: string, password: string): Promise<{ subject: string } | null> {
    const person = accounts.get(foldUserId(userId));
    const right = sameText(password, person?.password ?? '');
    return person && right ? { subject: person.userId } : null;
  },
};

/** Compares digests, so that neither length nor the first wrong letter shows in the time taken. */
function sameText(one: string, other: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}
