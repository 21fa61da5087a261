import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { RefusedForGood } from '#notify/delivery.ts';
import { composeText } from '#notify/templates.ts';
import { twilioTransport } from '#notify/text.ts';
import { letterhead } from './notify-samples.ts';

type Recorded = { method: string; path: string; authorisation: string; body: Record<string, string> };
const recorded: Recorded[] = [];
const replies: number[] = [];
const server = createServer((request, response) => void record(request, response));
const text = { id: 'outbox.9', to: '+447700900123', text: composeText({ template: 'security-code', secret: '012345' }, letterhead) };

async function record(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  recorded.push({
    method: request.method ?? '',
    path: request.url ?? '',
    authorisation: request.headers.authorization ?? '',
    body: Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString())),
  });
  const status = replies.shift() ?? 201;
  const body = status === 201 ? { sid: 'SM1', status: 'queued' } : { code: 20_000 + status, message: `refused with ${status}`, status };
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

beforeEach(async () => {
  recorded.length = 0;
  replies.length = 0;
  await once(server.listen(0, '127.0.0.1'), 'listening');
});
afterEach(async () => {
  server.closeAllConnections();
  await once(server.close(), 'close');
});

function transport() {
  const { port } = server.address() as AddressInfo;
  return twilioTransport({ accountSid: 'AC0', authToken: 'token', from: 'Portal', baseUrl: `http://127.0.0.1:${port}/` });
}

test('a text is one request with the number, the sender and the words', async () => {
  await transport().send(text);
  expect(recorded).toEqual([
    {
      method: 'POST',
      path: '/2010-04-01/Accounts/AC0/Messages.json',
      authorisation: `Basic ${Buffer.from('AC0:token').toString('base64')}`,
      body: { To: '+447700900123', From: 'Portal', Body: text.text },
    },
  ]);
  expect(recorded[0]?.body.Body?.split('\n').at(-1)).toBe('@portal.testshire.example #012345');
});

test.each([
  [400, true],
  [404, true],
  [401, false],
  [429, false],
  [500, false],
  [503, false],
])('the answer %i is final: %s [fault 11]', async (status, final) => {
  replies.push(status);
  const error: unknown = await transport()
    .send(text)
    .catch(reason => reason);
  expect(String(error)).toContain(`refused with ${status}`);
  expect(error instanceof RefusedForGood).toBe(final);
  expect(recorded).toHaveLength(1);
});

test('after "too many" the same text goes through [fault 11]', async () => {
  replies.push(429, 201);
  const twilio = transport();
  await expect(twilio.send(text)).rejects.toThrow('429');
  await twilio.send(text);
  expect(recorded.map(({ body }) => body)).toEqual([recorded[0]?.body, recorded[0]?.body]);
});

test.each(['07700900123', '+44 7700 900123', '+447700900123,+447700900124', '+447700900123\n', '', '+0'])(
  'the number %j is refused for good before anything is sent',
  async to => {
    await expect(transport().send({ ...text, to })).rejects.toThrow(RefusedForGood);
    expect(recorded).toHaveLength(0);
  },
);
