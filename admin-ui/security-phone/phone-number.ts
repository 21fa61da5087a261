import { parsePhoneNumberFromString } from 'libphonenumber-js/max';

export const notAMobile = 'Enter a UK mobile number, like 07700 900 982';
export const cannotReceive = 'This number cannot receive text messages. Enter a mobile number.';

export type ReadNumber = { number: string } | { fault: typeof notAMobile | typeof cannotReceive };

const LONGEST = 40;
// The parser would find a number inside any sentence; people may type spaces, hyphens, dots, brackets and nothing else.
const written = /^\+?[\d\s().\-‐-―]+$/;
// Ofcom keeps these for examples, so the parser calls them invalid; ours is the one printed in the hint, and printed numbers must work.
const example = /^\+447700900\d{3}$/;
const silent = new Set(['FIXED_LINE', 'PREMIUM_RATE', 'TOLL_FREE', 'SHARED_COST', 'PERSONAL_NUMBER', 'PAGER', 'UAN', 'VOIP', 'VOICEMAIL']);

/** Reads a UK mobile number as people write it. Answers it in E.164 form (+447700900982), or what to say about it. */
export function readMobileNumber(typed: string): ReadNumber {
  // Numbers copied from an address book come with invisible marks of direction.
  const text = typed.replace(/\p{Cf}/gu, '').trim();
  if (text.length > LONGEST || !written.test(text)) return { fault: notAMobile };
  const parsed = parsePhoneNumberFromString(text, 'GB');
  if (!parsed) return { fault: notAMobile };
  if (example.test(parsed.number)) return { number: parsed.number };
  // Jersey, Guernsey and the Isle of Man share +44 but are charged as foreign.
  if (!parsed.isValid() || parsed.country !== 'GB') return { fault: notAMobile };
  const type = parsed.getType() ?? '';
  if (type === 'MOBILE') return { number: parsed.number };
  return { fault: silent.has(type) ? cannotReceive : notAMobile };
}

/** The last three digits, which is all of a security phone that a screen or a message may show. */
export const endingOf = (number: string): string => number.slice(-3);
