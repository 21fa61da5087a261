import { afterEach, expect, test } from 'vitest';
import { type Email, RefusedForGood, type Transport } from '#notify/delivery.ts';
import { smtpTransport } from '#notify/email.ts';
import { composeEmail } from '#notify/templates.ts';
import { startMailServer } from './notify-mail-server.ts';
import { letterhead, linkOf, samples, written } from './notify-samples.ts';

const from = 'Services Portal <portal@testshire.example>';
const email: Email = { id: 'outbox.7', to: 'wendy@school.example', subject: 'About Services Portal', text: 'Hello', html: '<p>Hello</p>' };

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.close();
});

async function mailServer(...args: Parameters<typeof startMailServer>) {
  const server = await startMailServer(...args);
  open.push(server);
  return server;
}

function transportTo(url: string): Transport<Email> {
  const transport = smtpTransport(url, from);
  open.push(transport);
  return transport;
}

test('every message, in both wordings, arrives as it was written', async () => {
  const server = await mailServer();
  const transport = transportTo(server.url);
  for (const [template, data] of Object.entries(samples)) {
    for (const wording of ['specific', 'generic'] as const) {
      const content = composeEmail({ template, data, at: written, secret: linkOf(template) }, { ...letterhead, wording });
      await transport.send({ ...content, id: `${template}.${wording}`, to: 'wendy@school.example' });
      const arrived = server.received.at(-1);
      expect(arrived?.subject).toBe(content.subject);
      expect(arrived?.text.trimEnd()).toBe(content.text.trimEnd());
      expect(arrived?.html.trimEnd()).toBe(content.html.trimEnd());
    }
  }
  expect(server.received).toHaveLength(16);
});

test('a mail names its sender, its one recipient, itself, and that a machine wrote it', async () => {
  const server = await mailServer();
  await transportTo(server.url).send(email);
  const [arrived] = server.received;
  expect(arrived).toMatchObject({ from: 'portal@testshire.example', to: ['wendy@school.example'] });
  expect(arrived?.headers).toMatch(/^From: Services Portal <portal@testshire\.example>\r?$/m);
  expect(arrived?.headers).toMatch(/^To: wendy@school\.example\r?$/m);
  expect(arrived?.headers).toMatch(/^Message-ID: <outbox\.7@testshire\.example>\r?$/m);
  expect(arrived?.headers).toMatch(/^Auto-Submitted: auto-generated\r?$/m);
});

test.each([
  'a@b.example\r\nBcc: evil@x.example',
  'a@b.example\nevil@x.example',
  'a@b.example,evil@x.example',
  'a,evil@x.example',
  'a@b.example;evil@x.example',
  'a@b.example evil@x.example',
  '"evil@x.example a"@b.example',
  'Wendy <evil@x.example>',
  'group:evil@x.example;',
  'a@b@evil.example',
  'a\u0000@b.example',
  '@b.example',
  `${'a'.repeat(250)}@b.example`,
  '',
])('the recipient %j is refused for good and reaches nobody #101', async to => {
  const server = await mailServer();
  await expect(transportTo(server.url).send({ ...email, to })).rejects.toThrow(RefusedForGood);
  expect(server.received).toHaveLength(0);
});

test.each([
  ['the recipient', 550, { recipient: () => 550 }, true],
  ['the recipient', 450, { recipient: () => 450 }, false],
  ['the message', 554, { message: () => 554 }, true],
  ['the message', 451, { message: () => 451 }, false],
])('%s answered with %i is final only when the server says so', async (_what, code, answer, final) => {
  const server = await mailServer(answer);
  const error: unknown = await transportTo(server.url)
    .send(email)
    .catch(reason => reason);
  expect(String(error)).toContain(String(code));
  expect(error instanceof RefusedForGood).toBe(final);
});

test("a refused login is not the message's fault", async () => {
  const server = await mailServer(
    {},
    { disabledCommands: ['STARTTLS'], allowInsecureAuth: true, onAuth: (_auth, _session, done) => done(new Error('no')) },
  );
  const transport = transportTo(server.url.replace('smtp://', 'smtp://user:not-a-secret@'));
  const error: unknown = await transport.send(email).catch(reason => reason);
  expect(error).toMatchObject({ responseCode: 535 });
  expect(error).not.toBeInstanceOf(RefusedForGood);
  expect(String(error)).not.toContain('not-a-secret');
});

test('a server that is down is an error to try again after', async () => {
  const server = await startMailServer();
  await server.close();
  const error: unknown = await transportTo(server.url)
    .send(email)
    .catch(reason => reason);
  expect(String(error)).toContain('ECONNREFUSED');
  expect(error).not.toBeInstanceOf(RefusedForGood);
});

test('a certificate that nobody vouches for gets no mail', async () => {
  const server = await mailServer({}, { disabledCommands: ['AUTH'] });
  await expect(transportTo(server.url).send(email)).rejects.toThrow(/certificate/);
  expect(server.received).toHaveLength(0);
});

test('a server elsewhere without TLS gets no mail unless the settings say so', async () => {
  const server = await mailServer();
  const elsewhere = server.url.replace('127.0.0.1', '0.0.0.0');
  await expect(transportTo(elsewhere).send(email)).rejects.toThrow(/STARTTLS/);
  expect(server.received).toHaveLength(0);
  await transportTo(`${elsewhere}?ignoreTLS=true`).send(email);
  expect(server.received).toHaveLength(1);
});
