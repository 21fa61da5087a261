import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openDemoOutbox } from '#notify/demo.ts';

let dataDir = '';
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'portal-demo-outbox-'));
});
afterEach(() => rm(dataDir, { recursive: true }));

const email = { id: 'm1', to: 'wendy@school.example', subject: 'Hello', text: 'Hello', html: '<p>Hello</p>' };
const text = { id: 'm2', to: '+447700900123', text: '012345 is your code' };

test('messages are shown newest first, e-mails and texts alike', async () => {
  let clock = 1000;
  const outbox = await openDemoOutbox(dataDir, () => clock++);
  await outbox.transports.email?.send(email);
  await outbox.transports.text?.send(text);
  expect(outbox.latest()).toEqual([
    { ...text, kind: 'text', subject: null, html: null, at: 1001 },
    { ...email, kind: 'email', at: 1000 },
  ]);
});

test('a restart shows the same messages, and a torn last line hides none that comes after it', async () => {
  const first = await openDemoOutbox(dataDir, () => 1000);
  await first.transports.email?.send(email);
  await appendFile(join(dataDir, 'outbox.jsonl'), '\n{"id":"m9","kind":"em');
  const second = await openDemoOutbox(dataDir, () => 2000);
  expect(second.latest().map(({ id }) => id)).toEqual(['m1']);
  await second.transports.text?.send(text);
  const third = await openDemoOutbox(dataDir, () => 3000);
  expect(third.latest().map(({ id }) => id)).toEqual(['m2', 'm1']);
});

test('a message sent again is shown once', async () => {
  const outbox = await openDemoOutbox(dataDir, () => 1000);
  await outbox.transports.email?.send(email);
  await (await openDemoOutbox(dataDir, () => 2000)).transports.email?.send(email);
  expect((await openDemoOutbox(dataDir, () => 3000)).latest()).toHaveLength(1);
});

test('what one process sends is shown by another that has been open all along', async () => {
  const [one, other] = [await openDemoOutbox(dataDir, () => 1000), await openDemoOutbox(dataDir, () => 1000)];
  await one.transports.email?.send(email);
  await other.transports.text?.send(text);
  for (const outbox of [one, other]) expect(outbox.latest().map(({ id }) => id)).toEqual(['m2', 'm1']);
});

test('only the newest five hundred are kept, in memory and on disk', async () => {
  const outbox = await openDemoOutbox(dataDir, () => 1000);
  for (let n = 1; n <= 503; n++) await outbox.transports.text?.send({ ...text, id: `m${n}` });
  expect(outbox.latest()).toHaveLength(500);
  const again = await openDemoOutbox(dataDir, () => 1000);
  expect(again.latest()).toHaveLength(500);
  expect(again.latest().at(-1)?.id).toBe('m4');
  expect((await readFile(join(dataDir, 'outbox.jsonl'), 'utf8')).trim().split('\n')).toHaveLength(500);
});
