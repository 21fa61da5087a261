import type { FastifyRequest } from 'fastify';

/** Reads an id out of an address: plain digits, no sign, no leading zero, small enough to be exact. Null for anything else. */
export function parseId(text: unknown): number | null {
  return typeof text === 'string' && /^[1-9]\d{0,14}$/.test(text) ? Number(text) : null;
}

export const hubAddress = (organisation: number): string => `/organisations/${organisation}`;
export const peopleAddress = (organisation: number): string => `${hubAddress(organisation)}/people`;
export const registrationAddress = (organisation: number): string => `${peopleAddress(organisation)}/new`;
export const personAddress = (organisation: number, person: number): string => `${peopleAddress(organisation)}/${person}`;
export const removalAddress = (organisation: number, person: number): string => `${personAddress(organisation, person)}/remove`;
export const phoneDeletionAddress = (organisation: number, person: number): string =>
  `${personAddress(organisation, person)}/security-phone/delete`;

/** The address of a page with the place to come back to, which the other end checks again. */
export const withReturn = (address: string, place: string): string => `${address}?return=${encodeURIComponent(place)}`;

/** The person of the address; null for what cannot be an id. */
export const personIn = (request: FastifyRequest): number | null => parseId((request.params as { person?: string }).person);
