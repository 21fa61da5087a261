import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { startApp } from '#tests/app.ts';

// Flaws of what routers, middleware and schemas can do are none of ours for as long as we do not do it.
const root = fileURLToPath(new URL('../..', import.meta.url));
const sources = globSync('{config,store,policies,notify,views,admin-ui,gateway}/**/*.ts', { cwd: root });
const { dependencies } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')) as { dependencies: Record<string, string> };

describe.each(['dispatch', 'http-proxy'])('with the engine %s', engine => {
  test('legacy pages have one route that has neither a place of its own #19 nor a parameter #28, and no route has a pattern #93', async () => {
    const app = await startApp({ env: { ENGINE: engine } });
    const routes = app.app.present().app.declaredRoutes;
    await app.close();
    const forwarding = new Set(routes.filter(({ rule }) => rule === 'page').map(({ url }) => url));
    expect([...forwarding].filter(url => url !== '/')).toEqual(['/*']);
    expect(routes.length).toBeGreaterThan(50);
    const segments = routes.flatMap(({ url }) => url.split('/'));
    expect(segments.filter(segment => !/^(?:|\*|:[a-z]+|[a-z0-9.-]+)$/.test(segment))).toEqual([]);
  });
});

test.each([
  ['nothing is mounted under a path #19', /\.use\(|from ['"](?:@fastify\/(?:middie|express)|express|connect)['"]/],
  ['no route has a schema, of headers or of anything else #91', /\bschema\s*:\s*[{[]/],
  ['nothing but plain HTTP/1 is listened to #93', /node:http2|\bhttp2\s*:|createSecureServer|\bhttps\s*:\s*\{/],
  ['nothing is drawn from a generator that can be foretold #89', /Math\.random|pseudoRandomBytes/],
  ['no Set-Cookie is read and written again #64', /(?:get|set|parse)(?:Set)?Cookies?\b.*from 'undici'|parseSetCookie|getSetCookies/],
])('%s', (_what, pattern) => {
  expect(sources.length).toBeGreaterThan(150);
  expect(sources.filter(file => pattern.test(readFileSync(`${root}/${file}`, 'utf8')))).toEqual([]);
});

test('none of the packages that do it is used #19', () => {
  expect(Object.keys(dependencies).filter(name => /middie|express|connect$|http-proxy-middleware/.test(name))).toEqual([]);
});
