import type { PersonRow } from '#store/tables.ts';

const SHORTEST = 8;
const LONGEST = 128;

/** No rules of composition: length, not the person's own name or address, and not what everybody guesses first (OWASP ASVS 6.2). */
export async function passwordFault(owner: PersonRow, password: unknown): Promise<string | null> {
  if (typeof password !== 'string' || password === '') return 'Enter a password';
  if ([...password].length < SHORTEST) return `Your password must be ${SHORTEST} characters or more`;
  if ([...password].length > LONGEST) return `Your password must be ${LONGEST} characters or fewer`;
  const whole = password.toLowerCase();
  // What people add to a word that was refused: `Winchester1!` is guessed right after `winchester`.
  const word = whole.replace(/[0-9\W_]+$/, '');
  const own = [owner.email, owner.email?.split('@', 1)[0], owner.first_name, owner.last_name].map(text => text?.toLowerCase());
  if (own.some(text => text && (word === text || whole === text))) return 'Choose a password that is not your name or email address';
  const known = await wellKnown();
  return known.has(whole) || known.has(word) || /^(.)\1*$/u.test(password) ? 'Choose a password that is harder to guess' : null;
}

let list: Promise<ReadonlySet<string>> | null = null;

/** The passwords found most often in leaks; some megabytes that a gateway nobody chooses a password at never loads. */
function wellKnown(): Promise<ReadonlySet<string>> {
  list ??= import('@zxcvbn-ts/language-common').then(({ dictionary }) => new Set(dictionary['passwords-common']));
  return list;
}
