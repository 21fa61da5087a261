import { sayInstant } from '#config/calendar.ts';
import type { Settings } from '#config/settings.ts';
import { append } from '#store/activity.ts';
import type { Change } from '#store/database.ts';
import { identitiesOf } from '#store/identities.ts';
import { addLink, cancelLinks } from '#store/links.ts';
import { setPasswordAddress } from '../addresses.ts';

/** A one-time link that a person hands over, where no e-mail would bring it. */
export type HandedLink = { address: string; expiresAt: number; purpose: 'invitation' | 'reset' };

type Making = { person: number; settings: Pick<Settings, 'invitationDays' | 'resetMinutes'>; origin: string; now: number };

/**
 * Makes a link for choosing a password and kills every earlier one of the person. It lives as long as an invitation, or as a
 * reset once there is a password to replace.
 */
export async function makeLink(tx: Change, { person, settings, origin, now }: Making): Promise<HandedLink> {
  const own = (await identitiesOf(tx, person)).find(({ provider }) => provider === 'local');
  const purpose = own?.password_hash ? 'reset' : 'invitation';
  const lifeMs = purpose === 'reset' ? settings.resetMinutes * 60_000 : settings.invitationDays * 86_400_000;
  await cancelLinks(tx, { person, now });
  const expiresAt = now + lifeMs;
  const token = await addLink(tx, { person, purpose, expiresAt, now });
  await append(tx, { at: now, kind: 'link-made', person, data: { purpose } });
  return { address: setPasswordAddress(origin, token), expiresAt, purpose };
}

/** How the link is printed: it is shown this once and kept nowhere. */
export function sayLink(who: string, { address, expiresAt }: HandedLink): string {
  return `Hand this link to ${who} yourself; it works once until ${sayInstant(expiresAt)}:\n  ${address}`;
}
