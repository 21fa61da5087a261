export type Email = { id: string; to: string; subject: string; text: string; html: string };
export type TextMessage = { id: string; to: string; text: string };

/** A way out. `send` resolves once the next station has taken the message; it throws RefusedForGood when trying again is useless. */
export type Transport<Message> = { send(message: Message): Promise<void>; close(): void };

/** A channel without a way out is null: its messages wait until one is configured. */
export type Transports = { email: Transport<Email> | null; text: Transport<TextMessage> | null };

/** The message can never be delivered as it is; it fails at once instead of being tried again. */
export class RefusedForGood extends Error {
  override name = 'RefusedForGood';
}

/**
 * Checks an e-mail address that is about to be used as the only recipient.
 * A line break or comma in it made nodemailer mail a further address (CVE-2021-23400 and its like), so anything but one plain address is refused.
 */
export function checkEmailAddress(address: string): void {
  const plain = /^[^\s\p{Cc}@,;:<>()[\]\\"]+@[^\s\p{Cc}@,;:<>()[\]\\"]+$/u;
  // RFC 5321 §4.5.3.1.3: a path holds 256 characters with its angle brackets.
  if (address.length > 254 || !plain.test(address)) throw new RefusedForGood('the recipient is not one plain email address');
}

/** Checks a phone number: E.164, "+" and up to fifteen digits. */
export function checkPhoneNumber(number: string): void {
  if (!/^\+[1-9]\d{6,14}$/.test(number)) throw new RefusedForGood('the recipient is not a phone number in international form (+44...)');
}
