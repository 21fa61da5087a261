import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Email, RefusedForGood, type TextMessage, type Transports } from '#notify/delivery.ts';
import { smtpTransport } from '#notify/email.ts';
import { startWorker, type Worker } from '#notify/worker.ts';
import { openStore, type Store } from '#store/database.ts';
import { enqueue, type NewMessage } from '#store/outbox.ts';
import { claim } from '#store/outbox-queue.ts';
import { startMailServer } from '#tests/notify-mail-server.ts';
import { letterhead, samples, written } from '#tests/notify-samples.ts';

const sealKey = new Uint8Array(32).fill(7);
const second = 1_000;
let clock = written;
let dataDir = '';
let store: Store;
let logged: string[] = [];
const open: { close(): unknown }[] = [];

beforeEach(async () => {
  clock = written;
  logged = [];
  dataDir = await mkdtemp(join(tmpdir(), 'portal-worker-'));
  store = await openStore({ file: join(dataDir, 'portal.db') });
});
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
  await store.close();
  await rm(dataDir, { recursive: true });
});

const accessChanged = {
  channel: 'email',
  recipient: 'wendy@school.example',
  template: 'access-changed',
  data: samples['access-changed'],
} as const;
const securityCode = {
  channel: 'text',
  recipient: '+447700900123',
  template: 'security-code',
  data: {},
  secrets: { key: sealKey, values: { code: '012345' } },
  expiresAt: written + 600 * second,
} as const;
const resetLink = 'https://portal.testshire.example/password/TOKEN-OF-THE-LINK';
const passwordReset = {
  channel: 'email',
  recipient: 'wendy@school.example',
  template: 'password-reset',
  data: samples['password-reset'],
  secrets: { key: sealKey, values: { link: resetLink } },
} as const;

const queue = (message: Omit<NewMessage, 'now'>) => store.change(tx => enqueue(tx, { ...message, now: clock }));
const rows = () => store.db.selectFrom('outbox').selectAll().orderBy('id').execute();

function work(transports: Partial<Transports>): Worker {
  const log = { warn: (fields: object, message: string) => void logged.push(`${JSON.stringify(fields)} ${message}`) };
  const deps = {
    store,
    transports: { email: null, text: null, ...transports },
    letterhead: () => letterhead,
    sealKeys: [sealKey],
    now: () => clock,
    everyMs: 3_600_000,
    log,
  };
  const worker = startWorker(deps);
  open.push(worker);
  return worker;
}

async function mailServer(...args: Parameters<typeof startMailServer>) {
  const server = await startMailServer(...args);
  open.push(server);
  return server;
}

const smtp = (url: string) => smtpTransport(url, 'portal@testshire.example');
const closing = { close() {} };

function recorder() {
  const sent: (Email | TextMessage)[] = [];
  const send = async (message: Email | TextMessage) => void sent.push(message);
  return { sent, transport: { send, ...closing } };
}

test('a message of a change reaches the mail server and is marked as sent, its link wiped', async () => {
  const server = await mailServer();
  await queue(accessChanged);
  await queue(passwordReset);
  await work({ email: smtp(server.url) }).deliverNow();
  const texts = server.received.map(({ text }) => text).join();
  expect(texts).toContain('* Trailblazer, until 31 July 2026');
  expect(texts).toContain(resetLink);
  expect(await rows()).toMatchObject([
    { status: 'sent', sent_at: clock, sealed: null },
    { status: 'sent', sent_at: clock, sealed: null },
  ]);
});

test('a code reaches the phone and is wiped', async () => {
  const { sent, transport } = recorder();
  await queue(securityCode);
  await work({ text: transport }).deliverNow();
  expect(sent).toMatchObject([{ to: '+447700900123', text: expect.stringMatching(/\n@portal\.testshire\.example #012345$/) }]);
  expect(await rows()).toMatchObject([{ status: 'sent', sealed: null }]);
});

test('a mail that is first put off arrives once, and both attempts carry the same Message-ID [fault 10]', async () => {
  const attempts: (string | undefined)[] = [];
  const server = await mailServer({
    message: ({ headers }) => (attempts.push(/^Message-ID: (.*)$/m.exec(headers)?.[1]) === 1 ? 451 : null),
  });
  await queue(accessChanged);
  const worker = work({ email: smtp(server.url) });
  await worker.deliverNow();
  expect(await rows()).toMatchObject([{ status: 'waiting', tries: 1, last_error: expect.stringContaining('451') }]);
  clock += 5 * second;
  await worker.deliverNow();
  expect(server.received).toHaveLength(1);
  expect(attempts).toEqual([attempts[0], attempts[0]]);
  expect(attempts[0]).toMatch(/^<1\.\d+\.portal\.testshire\.example@testshire\.example>/);
});

test('while the mail server is down messages wait longer and longer, and leave when it is back [fault 10]', async () => {
  const down = await startMailServer();
  await down.close();
  await queue(accessChanged);
  const worker = work({ email: smtp(down.url) });
  await worker.deliverNow();
  await worker.deliverNow();
  const [first] = await rows();
  expect(first).toMatchObject({ status: 'waiting', tries: 1 });
  clock = first?.next_try_at ?? 0;
  await worker.deliverNow();
  const [later] = await rows();
  expect(later).toMatchObject({ status: 'waiting', tries: 2, last_error: expect.stringContaining('ECONNREFUSED') });
  expect((later?.next_try_at ?? 0) - clock).toBeGreaterThan((first?.next_try_at ?? 0) - written);
  const server = await mailServer({}, { disabledCommands: ['STARTTLS', 'AUTH'], port: down.port });
  clock = later?.next_try_at ?? 0;
  await worker.deliverNow();
  expect(server.received).toHaveLength(1);
  expect(await rows()).toMatchObject([{ status: 'sent', last_error: null }]);
});

test('a mail server that is down is not tried for every message, and does not hold up a code [fault 10]', async () => {
  const { sent, transport } = recorder();
  let tries = 0;
  const dead = { send: () => Promise.reject(new Error(`down ${++tries}`)), ...closing };
  for (let n = 0; n < 25; n++) await queue(accessChanged);
  await queue(securityCode);
  await work({ email: dead, text: transport }).deliverNow();
  expect(sent).toHaveLength(1);
  expect(tries).toBe(10);
  expect((await rows()).filter(({ tries }) => tries === 0)).toHaveLength(15);
});

test.each(['wendy@school.example\r\nBcc: evil@x.example', 'wendy@school.example,evil@x.example'])(
  'a message to %j fails at once and for good, and the next one goes out',
  async recipient => {
    const server = await mailServer();
    await queue({ ...passwordReset, recipient });
    await queue(accessChanged);
    const worker = work({ email: smtp(server.url) });
    await worker.deliverNow();
    clock += 86_400 * second;
    await worker.deliverNow();
    expect(server.received.map(({ to }) => to)).toEqual([['wendy@school.example']]);
    expect(await rows()).toMatchObject([
      { status: 'failed', tries: 1, sealed: null, last_error: 'the recipient is not one plain email address' },
      { status: 'sent' },
    ]);
  },
);

test.each([
  ['the recipient', { recipient: () => 550 }],
  ['the message', { message: () => 554 }],
])('a message is tried once and no more when the mail server refuses %s for good [fault 10]', async (_what, answer) => {
  const server = await mailServer(answer);
  await queue(passwordReset);
  const worker = work({ email: smtp(server.url) });
  for (const later of [0, 3_600, 86_400, 7 * 86_400]) {
    clock = written + later * second;
    await worker.deliverNow();
  }
  expect(await rows()).toMatchObject([{ status: 'failed', tries: 1, sealed: null, last_error: expect.stringContaining('55') }]);
  expect(logged).toHaveLength(1);
});

test('what is refused for good stays so when the clock is set back that moment', async () => {
  const backwards = { ...recorder().transport, send: () => Promise.reject(new RefusedForGood('no')) };
  const deps = {
    store,
    transports: { email: backwards, text: null },
    letterhead: () => letterhead,
    sealKeys: [sealKey],
    everyMs: 3_600_000,
  };
  const worker = startWorker({ ...deps, now: () => clock--, log: { warn() {} } });
  open.push(worker);
  await queue(accessChanged);
  clock += second;
  await worker.deliverNow();
  expect(await rows()).toMatchObject([{ status: 'failed' }]);
});

test('a login that is refused is a fault of the settings: the message waits, and leaves when they are right', async () => {
  const refusing = await mailServer(
    {},
    { disabledCommands: ['STARTTLS'], allowInsecureAuth: true, onAuth: (_auth, _session, done) => done(new Error('no')) },
  );
  await queue(passwordReset);
  await work({ email: smtp(refusing.url.replace('smtp://', 'smtp://user:not-a-secret@')) }).deliverNow();
  expect(await rows()).toMatchObject([{ status: 'waiting', tries: 1 }]);
  expect(JSON.stringify([await rows(), logged])).not.toContain('not-a-secret');
  const server = await mailServer();
  clock += 10 * second;
  await work({ email: smtp(server.url) }).deliverNow();
  expect(server.received).toHaveLength(1);
});

test('a message sealed before a change of keys is sent after it', async () => {
  const { sent, transport } = recorder();
  await queue(passwordReset);
  const deps = { store, transports: { email: transport, text: null }, letterhead: () => letterhead, now: () => clock, everyMs: 3_600_000 };
  const worker = startWorker({ ...deps, sealKeys: [new Uint8Array(32).fill(8), sealKey], log: { warn() {} } });
  open.push(worker);
  await worker.deliverNow();
  expect(sent).toMatchObject([{ text: expect.stringContaining(resetLink) }]);
});

test('a message whose data do not fit its template fails for good and says which field', async () => {
  await queue({ ...accessChanged, data: { ...samples['access-changed'], by: 'SOMEBODY' } });
  await work({ email: recorder().transport }).deliverNow();
  expect(await rows()).toMatchObject([{ status: 'failed', last_error: 'the data do not fit the template: by' }]);
});

test('messages of a channel without a way out wait untried until there is one', async () => {
  const { sent, transport } = recorder();
  await queue(accessChanged);
  await queue(securityCode);
  await work({ text: transport }).deliverNow();
  expect(sent).toHaveLength(1);
  expect(await rows()).toMatchObject([{ status: 'waiting', tries: 0, last_error: null }, { status: 'sent' }]);
  clock += 60 * second;
  await work({ email: transport }).deliverNow();
  expect(sent).toHaveLength(2);
});

test('a code that has died is not sent, shown as failed, and wiped [fault 11]', async () => {
  const { sent, transport } = recorder();
  await queue(securityCode);
  clock += 600 * second;
  await work({ text: transport }).deliverNow();
  expect(sent).toHaveLength(0);
  expect(await rows()).toMatchObject([{ status: 'failed', sealed: null }]);
  expect(logged).toEqual([expect.stringMatching(/"template":"security-code".* a message was not sent before it expired$/)]);
});

test('a message whose worker died is sent by the next, with the same id [fault 10]', async () => {
  const { sent, transport } = recorder();
  await queue(accessChanged);
  await claim(store.db, clock, 10);
  await work({ email: transport }).deliverNow();
  expect(sent).toHaveLength(0);
  clock += 61 * second;
  await work({ email: transport }).deliverNow();
  expect(sent).toMatchObject([{ id: `1.${written}.portal.testshire.example` }]);
});

test('passes never overlap, and a message written during one is sent before the next call is answered', async () => {
  const sent: string[] = [];
  let atOnce = 0;
  let most = 0;
  let worker: Worker | null = null;
  let nested: Promise<void> | undefined;
  const send = async ({ to }: Email) => {
    most = Math.max(most, ++atOnce);
    if (sent.push(to) === 1) {
      await queue({ ...accessChanged, recipient: 'second@school.example' });
      nested = worker?.deliverNow();
    }
    await new Promise(soon => setImmediate(soon));
    atOnce--;
  };
  await queue(accessChanged);
  worker = work({ email: { send, ...closing } });
  await Promise.all([worker.deliverNow(), worker.deliverNow(), worker.deliverNow()]);
  await nested;
  expect(sent).toEqual(['wendy@school.example', 'second@school.example']);
  expect(most).toBe(1);
});

test('closing waits for the message on its way and takes up no other', async () => {
  const steps: string[] = [];
  let arrive = () => {};
  const arrival = new Promise<void>(resolve => {
    arrive = resolve;
  });
  let begin = () => {};
  const begun = new Promise<void>(resolve => {
    begin = resolve;
  });
  const send = async () => {
    begin();
    await arrival;
    steps.push('arrived');
  };
  for (let n = 0; n < 11; n++) await queue(accessChanged);
  const worker = work({ email: { send, close: () => void steps.push('closed') } });
  void worker.deliverNow();
  await begun;
  const closed = worker.close();
  arrive();
  await closed;
  await worker.deliverNow();
  expect(steps).toEqual([...Array(10).fill('arrived'), 'closed']);
  expect((await rows()).map(({ status }) => status)).toEqual([...Array(10).fill('sent'), 'waiting']);
});

test('a refusal that quotes the link or the code is kept and logged without it', async () => {
  const quoting = (message: Email | TextMessage) => {
    const listed = 'subject' in message ? 'TOKEN-OF-THE-LINK' : '012345';
    return Promise.reject(new Error(`blocked: ${message.text} (${listed})`));
  };
  await queue(passwordReset);
  await queue(securityCode);
  await work({ email: { send: quoting, ...closing }, text: { send: quoting, ...closing } }).deliverNow();
  const kept = JSON.stringify([await rows(), logged]);
  expect(kept).toContain('[secret]');
  expect(kept).not.toMatch(/012345|TOKEN-OF-THE-LINK/);
});

test.each([
  ['cut short', 'see https://portal.testshire.example/password/TOKEN-OF-T...'],
  ['broken over two lines', 'bad: password/TOKEN-OF-=\r\nTHE-LINK'],
  ['encoded', 'bad: password=3DTOKEN-OF-THE-LINK'],
])('a link that a refusal quotes %s is not kept either', async (_how, reason) => {
  await queue(passwordReset);
  await work({ email: { send: () => Promise.reject(new Error(reason)), ...closing } }).deliverNow();
  const kept = JSON.stringify([await rows(), logged]);
  expect(kept).toContain('[secret]');
  expect(kept).not.toMatch(/TOKEN-OF/);
});

test('a database that cannot be read is logged and nothing more', async () => {
  const worker = work({ email: recorder().transport });
  await store.db.schema.dropTable('outbox').execute();
  await worker.deliverNow();
  expect(logged).toEqual([expect.stringContaining('the outbox could not be read or written')]);
});

test('a message is sent by the clock as well, without a call', async () => {
  const { sent, transport } = recorder();
  await queue(accessChanged);
  const log = { warn() {} };
  const worker = startWorker({
    store,
    transports: { email: transport, text: null },
    letterhead: () => letterhead,
    sealKeys: [sealKey],
    now: () => clock,
    everyMs: 5,
    log,
  });
  await expect.poll(() => sent).toHaveLength(1);
  await worker.close();
});
