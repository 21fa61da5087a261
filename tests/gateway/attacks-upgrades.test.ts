import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startApp, type TestApp } from '#tests/app.ts';
import { requestsOn, startWire, type Wire } from '#tests/legacy-wire.ts';
import { ask, sendRaw } from '#tests/raw-http.ts';
import { visit } from '#tests/visits.ts';

/** A request that wants a connection to become something else: its lines between Host, Cookie and its end, and what it may be answered. */
type Row = { why: string; first?: string; lines: string[]; body?: string; statuses: number[] };
const rows = JSON.parse(readFileSync(new URL('../attacks/upgrades.json', import.meta.url), 'utf8')) as Row[];

let app: TestApp;
let wire: Wire;
let host: string;
let cookie: string;

beforeAll(async () => {
  wire = await startWire();
  app = await startApp({ change: deps => wire.into(deps) });
  ({ host, cookie } = await visit(app, 'WENDY166'));
});
afterAll(async () => {
  await app.close();
  await wire.close();
});
beforeEach(() => wire.forget());

function bytesOf({ first = 'GET /trailblazer/echo HTTP/1.1', lines, body = '' }: Row): Buffer {
  const head = [first, 'Host: {host}', 'Cookie: {cookie}; Own=1', ...lines].join('\r\n');
  const text = `${head}\r\n\r\n${body}`
    .replaceAll('{host}', host)
    .replaceAll('{cookie}', cookie)
    .replaceAll('{key}', 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==');
  return Buffer.from(text, 'latin1');
}

describe('a connection that is to become something else', () => {
  test.each(rows.map(row => [row.why, row] as const))('%s', async (_why, row) => {
    const answer = await sendRaw(app.port, bytesOf(row), text => text.includes('\r\n\r\n'));
    expect(row.statuses).toContain(answer.status);
    expect(answer.text.match(/HTTP\/1\.1 [1-5]\d\d/g) ?? []).toHaveLength(answer.status === 0 ? 0 : 1);
    const reached = requestsOn(wire.received());
    // What is no handshake is a request like any other, without an offer; what is refused reaches nobody.
    expect(reached).toHaveLength(row.statuses.some(status => status === 101 || status === 404) ? 1 : 0);
    for (const { headers } of reached) {
      expect(headers.filter(([name]) => name === 'upgrade').map(([, value]) => value)).toEqual(answer.status === 101 ? ['websocket'] : []);
      expect(headers.filter(([name]) => name === 'remote-user')).toEqual([['remote-user', 'WENDY166']]);
      expect(headers.filter(([name]) => name === 'cookie')).toEqual([['cookie', 'Own=1']]);
    }
    expect(wire.received()).not.toMatch(/smuggled|mallory|http2-settings|evil\.example/i);
    expect((await ask(app.port, { target: '/trailblazer/', host, headers: [['Cookie', cookie]] })).status).toBe(200);
  });
});
