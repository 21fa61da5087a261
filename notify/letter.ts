import { type Catalogue, signInAddressOf } from '#config/catalogue.ts';

/** What a message needs to know about the council that sends it; config's Brand fits `brand`. */
export type Letterhead = {
  brand: {
    council: string;
    productName: string;
    accountName: string;
    accountsEmail: string;
    address: string;
    website: string;
    links: { privacy: string; disclaimer: string };
  };
  portal: { host: string; origin: string };
  signInAddress: string;
  wording: 'specific' | 'generic';
};

/** The letterhead of an installation. */
export function letterheadOf(catalogue: Catalogue, wording: Letterhead['wording']): Letterhead {
  const { brand, portal } = catalogue;
  return { brand, portal, signInAddress: signInAddressOf(catalogue), wording };
}

export type Block =
  | { kind: 'paragraph' | 'heading'; text: string }
  | { kind: 'list'; items: readonly string[] }
  | { kind: 'button'; text: string; href: string }
  | { kind: 'address'; text: string; href: string };

/** A message before it has a form: plain text and HTML are both made from these blocks, so they say the same. */
export type Letter = { subject: string; heading: string | null; blocks: readonly Block[] };

export const paragraph = (text: string): Block => ({ kind: 'paragraph', text });
export const heading = (text: string): Block => ({ kind: 'heading', text });
export const button = (text: string, href: string): Block => ({ kind: 'button', text, href });
/** A sentence followed by an address printed in full. */
export const address = (text: string, href: string): Block => ({ kind: 'address', text, href });

/** A heading with its list, or nothing when the list is empty. */
export function section(title: string, items: readonly string[]): readonly Block[] {
  return items.length === 0 ? [] : [heading(title), { kind: 'list', items }];
}
