// Letters that Unicode does not take apart into a base letter and a mark.
const letters: Record<string, string> = { ß: 'ss', æ: 'ae', œ: 'oe', ø: 'o', ł: 'l', đ: 'd', ð: 'd', þ: 'th', ı: 'i' };

const apostrophes = /['’‘ʼ`´]/g;

/** The form names are searched in: no case, no accents, no apostrophes, one space between words ("O’Brien-Zoë" → "obrien zoe"). */
export function foldName(text: string): string {
  return text
    .normalize('NFKD')
    .toLowerCase()
    .replace(/\p{M}/gu, '')
    .replace(/[ßæœøłđðþı]/g, letter => letters[letter] ?? letter)
    .replace(apostrophes, '')
    .replace(/[\s\-‐‑–]+/g, ' ')
    .trim();
}

/** The form user IDs and e-mail addresses are compared in. */
export const subjectKey = (subject: string): string => subject.normalize('NFKC').trim().toLowerCase();

/** The form user IDs and e-mail addresses are searched in: no case, no apostrophes. */
export const foldKey = (text: string): string => subjectKey(text).replace(apostrophes, '');

/** First and last name as shown; some people have one name only. */
export const fullName = (person: { first_name: string; last_name: string }): string => `${person.first_name} ${person.last_name}`.trim();
