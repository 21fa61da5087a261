import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '#tests/free-port.ts';
import { startGateway, stopGateway } from '#tests/gateway-process.ts';
import { requestBytes, upgrade } from '#tests/raw-http.ts';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'portal-stopping-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test('a gateway that is told to stop does so, whoever is in the middle of something', async () => {
  const port = await freePort();
  const gateway = await startGateway({ PORT: String(port), DATA_DIR: join(dir, 'data') });
  const host = `www3.hants.localhost:${port}`;
  const open = '/education/hias/moodle/';

  const chat = await upgrade(port, { target: `${open}echo`, host });
  expect(chat.answer.status).toBe(101);
  const halves = [
    'GET / HTTP/1.1\r\nHos',
    requestBytes({ method: 'POST', target: open, host, headers: [['Content-Length', '500']], body: 'x' }),
  ];
  for (const half of halves) {
    const socket = createConnection(port, '127.0.0.1', () => socket.write(half));
    socket.on('error', () => {}).resume();
    await once(socket, 'connect');
  }

  await stopGateway(gateway);
  expect(gateway.exitCode).toBe(0);
  await chat.closed;
});
