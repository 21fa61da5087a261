// RFC 5321 §4.5.3.1.3: a path holds 256 characters with its angle brackets.
const longest = 254;
const oneAddress = /^[^\s@,;<>"()\p{Cc}]+@[^\s@,;<>"()\p{Cc}]+\.[^\s@,;<>"()\p{Cc}]+$/u;

/** Whether a text is one e-mail address and nothing else: with a line break or a comma in it, a message would go to others as well. */
export const isEmailAddress = (text: string): boolean => text.length <= longest && oneAddress.test(text);
