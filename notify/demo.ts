import { appendFile, readFile, rename, writeFile } from 'node:fs/promises';
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
 * The demo's ways out: nothing leaves the machine, every message can be read at /demo/outbox.
 * Kept in outbox.jsonl of the data directory, so that a restart shows the same list. `latest` is newest first.
 */
export async function openDemoOutbox(
  dataDir: string,
  now: () => number,
): Promise<{ transports: Transports; latest(): readonly DemoMessage[] }> {
  const file = join(dataDir, 'outbox.jsonl');
  const messages = await readMessages(file);
  await rewrite(file, messages);

  async function append(message: Omit<DemoMessage, 'at'>): Promise<void> {
    // A message sent again after a crash carries the same id, and is shown once.
    if (messages.some(({ id }) => id === message.id)) return;
    const kept = { ...message, at: now() };
    await appendFile(file, line(kept), { mode: 0o600 });
    messages.push(kept);
    if (messages.length > KEPT) messages.shift();
  }

  // One after the other, so that the list keeps the order of the outbox.
  let last = Promise.resolve();
  function keep(message: Omit<DemoMessage, 'at'>): Promise<void> {
    const kept = last.then(() => append(message));
    last = kept.catch(() => {});
    return kept;
  }

  const close = () => {};
  return {
    transports: {
      email: { send: (email: Email) => keep({ kind: 'email', ...email }), close },
      text: { send: (text: TextMessage) => keep({ kind: 'text', subject: null, html: null, ...text }), close },
    },
    latest: () => messages.toReversed(),
  };
}

const line = (message: DemoMessage) => `${JSON.stringify(message)}\n`;

async function readMessages(file: string): Promise<DemoMessage[]> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return text.split('\n').flatMap(readLine).slice(-KEPT);
}

/** The last line may be torn when the process was killed while writing it; the outbox sends that message again. */
function readLine(text: string): DemoMessage[] {
  try {
    return text === '' ? [] : [JSON.parse(text) as DemoMessage];
  } catch {
    return [];
  }
}

/** Starts the file afresh: a torn line without an end would swallow the next message, and the file must not grow for ever. */
async function rewrite(file: string, messages: readonly DemoMessage[]): Promise<void> {
  await writeFile(`${file}.new`, messages.map(line).join(''), { mode: 0o600 });
  await rename(`${file}.new`, file);
}
