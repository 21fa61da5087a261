import { Eta } from 'eta';
import type { Block, Letter, Letterhead } from './letter.ts';

const eta = new Eta({ views: import.meta.dirname, autoEscape: true, cache: true });

/** The foot of every e-mail; the copyright year is that of the message, so that sending it again changes nothing. */
function footer(letterhead: Letterhead, at: number) {
  const { council, address, website } = letterhead.brand;
  return {
    website: website.replace(/^https?:\/\//, '').replace(/\/$/, ''),
    sentBy: `This email was sent by ${council}, ${address}`,
    copyright: `© ${council} ${new Date(at).getUTCFullYear()}`,
  };
}

function blockText(block: Block): string {
  if (block.kind === 'list') return block.items.map(item => `* ${item}`).join('\n');
  if (block.kind === 'address') return `${block.text}\n${block.href}`;
  return block.text;
}

function plainText(letter: Letter, letterhead: Letterhead, at: number): string {
  const { website, sentBy, copyright } = footer(letterhead, at);
  const head = letter.heading === null ? [] : [letter.heading];
  const body = letter.blocks.map(blockText);
  return `${[letterhead.brand.council, ...head, ...body, website, sentBy, 'Privacy | Disclaimer', copyright].join('\n\n')}\n`;
}

/** Puts a letter into the council's frame, once as plain text and once as HTML. `at` is when it was written, in milliseconds. */
export function frameLetter(letter: Letter, letterhead: Letterhead, at: number): { text: string; html: string } {
  return {
    text: plainText(letter, letterhead, at),
    html: eta.render('email', { letter, brand: letterhead.brand, footer: footer(letterhead, at) }),
  };
}
