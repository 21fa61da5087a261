import type { MessageData, TemplateName } from '#notify/templates.ts';
import type { Change } from '#store/database.ts';
import { fullName } from '#store/names.ts';
import { enqueue } from '#store/outbox.ts';
import { administratorsOf } from '#store/rights.ts';
import type { PersonRow, Reader } from '#store/tables.ts';

type Enclosed = { activity: number; now: number; link?: { key: Buffer; address: string; expiresAt: number } };

/**
 * Queues an e-mail to the person concerned in the transaction of the change. Answers whether there is one: some people have no
 * address, and a deactivated person is told nothing.
 */
export async function tell<T extends TemplateName>(
  tx: Change,
  person: PersonRow,
  template: T,
  data: MessageData[T],
  { activity, now, link }: Enclosed,
): Promise<boolean> {
  if (person.email === null || person.active !== 1) return false;
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
  return true;
}

/** Whom a letter names for questions: the organisation's administrators as they are after the change. */
export async function administratorNames(db: Reader, organisation: number, now: number): Promise<string[]> {
  return (await administratorsOf(db, organisation, now)).map(fullName);
}
