import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Email, TextMessage, Transports } from './delivery.ts';

export type DemoMessage = {
  id: string;
  kind: 'email' | 'text';
  to: string;
  subject: string | null;
  text: string;
  html: string | null;
  at: number;
};

const KEPT = 500;

/**
 * The demo's ways out: nothing leaves the machine, every message can be read at /demo/outbox. They are kept in outbox.jsonl of the
 * data directory and read from there, since the process that is asked need not be the one that sent. `latest` is newest first.
 */
export async function openDemoOutbox(
  dataDir: string,
  now: () => number,
): Promise<{ transports: Transports; latest(): readonly DemoMessage[] }> {
  const file = join(dataDir, 'outbox.jsonl');
  shorten(file);

  // One after the other, so that the list keeps the order of the outbox.
  let last = Promise.resolve();
  function keep(message: Omit<DemoMessage, 'at'>): Promise<void> {
    const kept = last.then(() => appendFile(file, line({ ...message, at: now() }), { mode: 0o600 }));
    last = kept.catch(() => {});
    return kept;
  }

  const close = () => {};
  return {
    transports: {
      email: { send: (email: Email) => keep({ kind: 'email', ...email }), close },
      text: { send: (text: TextMessage) => keep({ kind: 'text', subject: null, html: null, ...text }), close },
    },
    latest: () => readMessages(file).slice(-KEPT).toReversed(),
  };
}

/** The line break comes first: a line that was torn when its process was killed must not swallow the next message. */
const line = (message: DemoMessage) => `\n${JSON.stringify(message)}`;

/** A message sent again after a crash carries the same id, and is shown once. */
function readMessages(file: string): DemoMessage[] {
  const messages = new Map<string, DemoMessage>();
  for (const message of readText(file).split('\n').flatMap(readLine)) if (!messages.has(message.id)) messages.set(message.id, message);
  return [...messages.values()];
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return '';
  }
}

/** A torn line is no message; the outbox sends it again. */
function readLine(text: string): DemoMessage[] {
  try {
    return text === '' ? [] : [JSON.parse(text) as DemoMessage];
  } catch {
    return [];
  }
}

/** The file must not grow for ever. */
function shorten(file: string): void {
  const messages = readMessages(file);
  if (messages.length <= KEPT) return;
  writeFileSync(`${file}.new`, messages.slice(-KEPT).map(line).join(''), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
