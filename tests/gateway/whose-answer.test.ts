import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startApp, type TestApp } from '#tests/app.ts';
import { startRawServer, withUpstreams } from '#tests/legacy-wire.ts';
import { ask, type RawRequest } from '#tests/raw-http.ts';
import { visit } from '#tests/visits.ts';

const page = (body: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

/** A legacy server with one connection at a time, which answers whatever it takes for a request. */
let legacy: Awaited<ReturnType<typeof startRawServer>>;
let app: TestApp;
let host: string;
let cookie: string;
let read = '';

beforeAll(async () => {
  legacy = await startRawServer((path, socket, head) => {
    read += head;
    if (path.endsWith('/well')) socket.write(page('well'));
    for (const _smuggled of head.matchAll(/GET \/secret/g)) socket.write(page('evil'));
  });
  app = await startApp({
    env: { UPSTREAM_CONNECTIONS: '1' },
    change: deps => withUpstreams(deps, ({ service }) => (service === 'hias' ? legacy.origin : null)),
  });
  ({ host, cookie } = await visit(app, 'JHOWEL12'));
});
afterEach(() => {
  read = '';
});
afterAll(async () => {
  await app.close();
  await legacy.close();
});

const to = (what: string, more: Partial<RawRequest> = {}): RawRequest => ({
  target: `/education/hias/${what}`,
  host,
  ...more,
  headers: [['Cookie', cookie], ...(more.headers ?? [])],
});

describe('a body', () => {
  const hidden = 'GET /secret HTTP/1.1\r\nHost: a\r\n\r\n';

  test.each(['GET', 'POST'])('of a %s is never a request of its own, whatever `Connection` names #57', async method => {
    const headers = [
      ['Connection', 'close, content-length'],
      ['Content-Length', String(hidden.length)],
    ] as const;
    expect((await ask(app.port, to('well', { method, headers, body: hidden }))).body).toBe('well');
    expect(read).toContain(`content-length: ${hidden.length}\r\n`);
    expect(read).not.toContain('content-length: 0');
  });
});
