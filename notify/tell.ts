import type { Change } from '#store/database.ts';
import { enqueue } from '#store/outbox.ts';
import type { PersonRow } from '#store/tables.ts';
import type { MessageData, TemplateName } from './templates.ts';

/** What goes with a letter: the change it tells of, when it was made, and a link with the key that seals it in the outbox. */
export type Enclosed = { activity: number; now: number; link?: { key: Buffer; address: string; expiresAt: number } };

/**
 * Queues an e-mail to the person concerned, in the transaction of the change. Some people have no address, and a deactivated person
 * is told nothing.
 */
export async function tell<T extends TemplateName>(
  tx: Change,
  person: PersonRow,
  template: T,
  data: MessageData[T],
  { activity, now, link }: Enclosed,
): Promise<void> {
  if (person.email === null || person.active !== 1) return;
  await enqueue(tx, {
    channel: 'email',
    recipient: person.email,
    template,
    data,
    person: person.id,
    activity,
    now,
    ...(link ? { secrets: { key: link.key, values: { link: link.address } }, expiresAt: link.expiresAt } : {}),
  });
}
