import { sayInstant } from '#config/calendar.ts';
import type { Settings } from '#config/settings.ts';
import { appendAll } from '#store/activity.ts';
import type { Change } from '#store/database.ts';
import { identitiesOf } from '#store/identities.ts';
import { addLinks, cancelLinks } from '#store/links.ts';
import { setPasswordAddress } from '../addresses.ts';

/** A one-time link that a person hands over, where no e-mail would bring it. */
export type HandedLink = { address: string; expiresAt: number; purpose: 'invitation' | 'reset' };

type Making = { settings: Pick<Settings, 'invitationDays' | 'resetMinutes'>; origin: string; now: number };

/** Makes a link for choosing a password, as `makeLinks` does. It is a reset once there is a password to replace. */
export async function makeLink(tx: Change, { person, ...making }: Making & { person: number }): Promise<HandedLink> {
  const own = (await identitiesOf(tx, person)).find(({ provider }) => provider === 'local');
  const purpose = own?.password_hash ? 'reset' : 'invitation';
  return (await makeLinks(tx, { people: [person], purpose, ...making })).get(person)!;
}

/** Makes a link for each person, by person, and kills every earlier one of theirs. It lives as long as its purpose says. */
export async function makeLinks(
  tx: Change,
  { people, purpose, settings, origin, now }: Making & { people: readonly number[]; purpose: HandedLink['purpose'] },
): Promise<Map<number, HandedLink>> {
  const expiresAt = now + (purpose === 'reset' ? settings.resetMinutes * 60_000 : settings.invitationDays * 86_400_000);
  await cancelLinks(tx, { people, now });
  const tokens = await addLinks(tx, { people, purpose, expiresAt, now });
  await appendAll(
    tx,
    people.map(person => ({ at: now, kind: 'link-made', person, data: { purpose } })),
  );
  return new Map([...tokens].map(([person, token]) => [person, { address: setPasswordAddress(origin, token), expiresAt, purpose }]));
}

/** How the link is printed: it is shown this once and kept nowhere. */
export function sayLink(who: string, { address, expiresAt }: HandedLink): string {
  return `Hand this link to ${who} yourself; it works once until ${sayInstant(expiresAt)}:\n  ${address}`;
}
