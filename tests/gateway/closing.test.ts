import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLiveConnections } from '#gateway/live.ts';
import { startApp, type TestApp } from '#tests/app.ts';
import { startRawServer, withUpstreams } from '#tests/legacy-wire.ts';
import { ask, requestBytes, upgrade } from '#tests/raw-http.ts';
import { visit } from '#tests/visits.ts';

let legacy: Awaited<ReturnType<typeof startRawServer>>;
let app: TestApp;
let host: string;
let headers: [string, string][];
let answerSlow: () => void;

beforeEach(async () => {
  legacy = await startRawServer((path, socket) => {
    const write = (head: string, body = '') => void socket.write(`HTTP/1.1 ${head}\r\n\r\n${body}`);
    if (path.endsWith('/socket')) write('101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade');
    else if (path.endsWith('/events')) write('200 OK\r\nContent-Type: text/event-stream', 'data: one\n\n');
    else answerSlow = () => write('200 OK\r\nContent-Length: 4', 'well');
  });
  app = await startApp({ change: deps => withUpstreams(deps, ({ service }) => (service === 'hias' ? legacy.origin : null)) });
  const visitor = await visit(app, 'JHOWEL12');
  host = visitor.host;
  headers = [['Cookie', visitor.cookie]];
});
afterEach(() => legacy.close());

const get = (what: string) => ({ target: `/education/hias/${what}`, host, headers });

/** Something that goes on for ever once it has begun. */
async function endless(what: string): Promise<{ socket: Socket; closed: Promise<unknown> }> {
  const socket = createConnection(app.port, '127.0.0.1', () => socket.write(requestBytes(get(what))));
  const closed = new Promise(resolve => socket.once('close', resolve));
  await new Promise(resolve => socket.once('data', resolve));
  return { socket, closed };
}

test('a gateway that is stopped ends WebSockets and event streams, and lets answers under way end', async () => {
  const chat = await upgrade(app.port, get('socket'));
  const events = await endless('events');
  const page = ask(app.port, get('slow'));
  await expect.poll(() => answerSlow).toBeDefined();
  const closed = app.close();
  await Promise.all([chat.closed, events.closed]);
  answerSlow();
  expect((await page).body).toBe('well');
  await closed;
});

test('an answer that is over is not watched any longer', async () => {
  await app.close();
  const live = createLiveConnections(async () => true);
  const answer = new PassThrough();
  live.add({} as FastifyRequest, answer);
  expect(live.size()).toBe(1);
  answer.destroy();
  await once(answer, 'close');
  live.add({} as FastifyRequest, answer);
  expect(live.size()).toBe(0);
  live.close();
});
