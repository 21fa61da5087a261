import type { Letterhead } from './letter.ts';

/**
 * The text message with a security code. Its last line binds the code to the portal's host, so that a phone offers it
 * nowhere else (WICG, "Delivering origin-bound one-time codes over SMS").
 */
export function securityCodeText(code: string, letterhead: Letterhead): string {
  return `${code} is your ${letterhead.brand.productName} security code\n\n@${letterhead.portal.host} #${code}`;
}
