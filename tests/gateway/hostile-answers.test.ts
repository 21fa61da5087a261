import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startApp, type TestApp } from '#tests/app.ts';
import { startRawServer, withUpstreams } from '#tests/legacy-wire.ts';
import { ask, upgrade } from '#tests/raw-http.ts';
import { visit } from '#tests/visits.ts';

/** What a legacy server may answer, as bytes; and the status a browser gets for a page, and for a WebSocket. 0 is a broken connection. */
type Row = { why: string; answer: string; page: number; socket: number; ends?: boolean };
const rows = JSON.parse(readFileSync(new URL('../attacks/answers.json', import.meta.url), 'utf8')) as Row[];

const answers = new Map(rows.map(({ answer, ends }, index) => [String(index), { bytes: Buffer.from(answer, 'latin1'), ends }]));
const well = { bytes: Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell'), ends: false };

function answer(path: string, socket: Socket): void {
  const { bytes, ends } = answers.get(path.split('/').at(-1) ?? '') ?? well;
  if (ends) socket.end(bytes);
  else socket.write(bytes);
}

describe.each(['dispatch', 'http-proxy'])('with the engine %s, an answer', engine => {
  let hostile: Awaited<ReturnType<typeof startRawServer>>;
  let app: TestApp;
  let host: string;
  let cookie: string;

  beforeAll(async () => {
    hostile = await startRawServer(answer);
    app = await startApp({
      env: { UPSTREAM_HEADERS_SECONDS: '1', ENGINE: engine },
      change: deps => withUpstreams(deps, ({ service }) => (service === 'hias' ? hostile.origin : null)),
    });
    ({ host, cookie } = await visit(app, 'JHOWEL12'));
  });
  afterAll(async () => {
    await app.close();
    await hostile.close();
  });

  const to = (what: string | number) => ({ target: `/education/hias/${what}`, host, headers: [['Cookie', cookie]] as const });

  test.each(rows.map((row, index) => [row.why, row, index] as const))('%s', async (_why, row, index) => {
    const page = await ask(app.port, to(index));
    // The other engine takes more for an answer; what counts is that it gives one.
    if (engine === 'dispatch') expect(page.status).toBe(row.page);
    const { answer: handshake, socket, closed } = await upgrade(app.port, to(index));
    expect(handshake.status).toBe(row.socket);
    if (row.socket !== 101) await closed;
    socket.destroy();
    for (const { text } of [page, handshake]) {
      expect((text.match(/HTTP\/1\.1 [2-9]\d\d /g) ?? []).length).toBeLessThanOrEqual(1);
      expect(text).not.toMatch(/secret|evil/);
    }
    expect((await ask(app.port, to('well'))).body).toBe('well');
  });
});
