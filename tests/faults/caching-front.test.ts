import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { freePort } from '#tests/free-port.ts';
import { type Installed, refused, startInstalled } from '#tests/installed.ts';
import { startServer } from '#tests/legacy-wire.ts';
import { ask, type RawAnswer } from '#tests/raw-http.ts';
import { type FrontServer, startNginx } from '#tests/servers.ts';

// A real cache in front of the gateway, which believes what answers say of themselves, and a legacy server that says: keep this.
const SECRET = 'for Alice alone';
const everywhere = {
  'cache-control': 'public, max-age=3600, s-maxage=3600',
  expires: 'Fri, 01 Jan 2100 00:00:00 GMT',
  pragma: 'cache',
  'surrogate-control': 'max-age=3600',
  'cdn-cache-control': 'max-age=3600',
  'x-accel-expires': '3600',
  vary: 'accept-encoding',
  etag: '"1"',
  'last-modified': 'Thu, 01 Jan 2026 00:00:00 GMT',
};
const framing = {
  'x-frame-options': 'ALLOW-FROM https://old.example',
  'content-security-policy': "frame-ancestors 'self' https://old.example; script-src 'unsafe-inline'",
};

let legacy: Awaited<ReturnType<typeof startServer>>;
let installed: Installed;
let cache: FrontServer;
let port = 0;
let asked = 0;

/** Answers with the status at the end of the path. */
function answer(path: string, response: ServerResponse): void {
  asked += 1;
  const status = Number(/(\d{3})$/.exec(path)?.[1] ?? 200);
  const special = {
    206: { 'content-range': 'bytes 0-14/100' },
    302: { location: '/trailblazer/elsewhere' },
    301: { location: '/trailblazer/x' },
  };
  response.writeHead(status, {
    ...(path.includes('bare') ? {} : everywhere),
    ...(path.includes('framed') ? framing : {}),
    ...special[status as 206],
  });
  response.end(status === 304 ? undefined : SECRET);
}

beforeAll(async () => {
  legacy = await startServer((request, response) => answer(request.url ?? '', response));
  installed = await startInstalled(legacy.origin);
  port = await freePort();
  cache = await startNginx(cachingFront(port, installed.port), port);
});
afterAll(async () => {
  await cache?.stop();
  await installed?.close();
  await legacy.close();
});
beforeEach(() => {
  asked = 0;
});

/** Every status it may keep, for as long as the answer says, and whoever asks. */
const cachingFront = (on: number, to: number) => `
  proxy_cache_path cache keys_zone=pages:1m;
  server {
    listen 127.0.0.1:${on};
    location / {
      proxy_pass http://127.0.0.1:${to};
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-Proto https;
      proxy_cache pages;
      proxy_cache_key $host$request_uri$http_range;
      proxy_set_header If-None-Match $http_if_none_match;
      proxy_set_header Range $http_range;
      add_header X-Cache $upstream_cache_status always;
    }
  }`;

const get = (target: string, cookie: string, host = installed.host, more: [string, string][] = []): Promise<RawAnswer> =>
  ask(port, { target, host, headers: [...(cookie ? ([['Cookie', cookie]] as [string, string][]) : []), ...more] });

test('the cache is one: an open page that may be kept is asked for once', async () => {
  for (const state of ['MISS', 'HIT']) {
    const page = await get('/education/hias/moodle/200', '');
    expect([page.status, page.header('x-cache')]).toEqual([200, state]);
  }
  expect(asked).toBe(1);
});

describe.each([200, 203, 206, 301, 302, 304, 403, 404, 410, 500, 503])('a signed-in answer %i that says it may be kept', status => {
  test.each(['/trailblazer', '/css'])('below %s is kept by nobody between, and nobody else is ever shown it', async page => {
    const target = `${page}/${status}`;
    const more: [string, string][] = status === 304 ? [['If-None-Match', '"1"']] : status === 206 ? [['Range', 'bytes=0-14']] : [];
    for (const time of [1, 2]) {
      const own = await get(target, installed.cookie, undefined, more);
      expect([own.status, own.header('x-cache'), asked]).toEqual([status, 'MISS', time]);
      expect(own.header('cache-control')).toMatch(/^private, (?:no-cache|no-store|max-age=3600)$/);
      for (const name of ['expires', 'pragma', 'surrogate-control', 'cdn-cache-control']) expect(own.header(name)).toBeUndefined();
      const stranger = await get(target, '', undefined, more);
      expect([stranger.status, stranger.text.includes(SECRET), stranger.header('cache-control')]).toEqual([302, false, 'no-store']);
    }
  });
});

test('what the gateway itself says of somebody is kept by nobody either', async () => {
  for (const [target, host] of [
    [`/${refused}/`],
    ['/nothing-here'],
    ['/', 'portal.hants.gov.uk'],
    ['/sign-in', 'portal.hants.gov.uk'],
  ] as const) {
    for (const cookie of [installed.cookie, '']) {
      const first = await get(target, cookie, host);
      const second = await get(target, cookie, host);
      expect([first.header('x-cache'), second.header('x-cache')], target).toEqual(['MISS', 'MISS']);
      // A bare 302 may not be kept unless it says so (RFC 9111 §3, RFC 9110 §15.1).
      if (first.status !== 302) expect(first.header('cache-control'), target).toMatch(/no-store|private/);
    }
  }
});

describe('framing', () => {
  test.each(['/trailblazer', '/education/hias/moodle', '/css'])(
    'is what the legacy page below %s says, and nothing where it says nothing',
    async page => {
      const framed = await get(`${page}/framed`, installed.cookie);
      for (const [name, value] of Object.entries(framing))
        expect(framed.headers.filter(([known]) => known === name)).toEqual([[name, value]]);
      const bare = await get(`${page}/bare`, installed.cookie);
      expect(bare.status).toBe(200);
      const added = [
        'content-security-policy',
        'cross-origin-opener-policy',
        'cross-origin-resource-policy',
        'origin-agent-cluster',
        'referrer-policy',
      ];
      for (const name of [...added, 'x-frame-options', 'x-content-type-options', 'strict-transport-security'])
        expect(bare.header(name), name).toBeUndefined();
    },
  );
});
