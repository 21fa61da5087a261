import type { Letterhead } from '#notify/letter.ts';
import type { MessageData } from '#notify/templates.ts';

export const letterhead: Letterhead = {
  brand: {
    council: 'Testshire County Council',
    productName: 'Services Portal',
    accountName: 'Testsweb',
    accountsEmail: 'accounts@testshire.example',
    address: 'The Castle, Testchester TE1 1ST',
    website: 'https://www.testshire.example/',
    links: { privacy: 'https://www.testshire.example/privacy', disclaimer: 'https://www.testshire.example/disclaimer' },
  },
  portal: { host: 'portal.testshire.example', origin: 'https://portal.testshire.example' },
  signInAddress: 'https://portal.testshire.example/sign-in',
  wording: 'specific',
};

export const written = Date.UTC(2026, 5, 4, 8, 32);
const james = { name: "James O'Howell", organisation: 'Innovations PLC - SP3' };
const administrators = ["James O'Howell", 'Zoë Müller & Co'];
const common = { organisation: 'Innovations PLC - SP3', by: james, at: written, administrators };

export const samples: Omit<MessageData, 'security-code'> = {
  'access-changed': {
    ...common,
    added: [{ name: 'Trailblazer', endsOn: '2026-07-31' }],
    removed: ['Property'],
    endDateChanged: [{ name: 'Schools Intranet', endsOn: null }],
    now: [
      { name: 'Schools Intranet', endsOn: null },
      { name: 'Trailblazer', endsOn: '2026-07-31' },
    ],
  },
  'administrator-welcome': { ...common, by: null },
  'removed-from-organisation': common,
  'security-phone-set': { organisation: common.organisation, at: written, phoneEnding: '123', administrators },
  'security-phone-deleted': { ...common, phoneEnding: '123' },
  invitation: { organisation: common.organisation, by: james, userId: 'wendy@school.example', linkExpiresAt: written },
  'password-reset': { userId: 'wendy@school.example', linkExpiresAt: written },
  'password-changed': { at: written },
};

/** The link that a template is sealed with, or null for the templates without one. */
export function linkOf(template: string): string | null {
  return ['invitation', 'password-reset'].includes(template) ? 'https://portal.testshire.example/password/SECRET' : null;
}

/** What a reader of the HTML reads, with all white space as one space. */
export function wordsOfHtml(html: string): string {
  const body = html.slice(html.indexOf('<body'));
  const entities: Record<string, string> = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#39;': "'" };
  return body
    .replace(/<[^>]*>/g, ' ')
    .replace(/&[a-z0-9#]+;/g, entity => entities[entity] ?? entity)
    .replace(/\s+/g, ' ')
    .trim();
}

export function wordsOfText(text: string): string {
  return text.replace(/^\* /gm, '').replace(/\s+/g, ' ').trim();
}
