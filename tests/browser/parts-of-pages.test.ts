import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startApp, type TestApp } from '../app.ts';
import { startServer, withUpstreams } from '../legacy-wire.ts';
import { launchChromium, openVisitor, signInHere, siteAddress, type Visitor } from './visitor.ts';

type Server = Awaited<ReturnType<typeof startServer>>;

let app: TestApp;
let browser: Browser;
let music: Server;
let intranet: Server;
let foreign: Server;

const intranetAt = (path: string) => siteAddress(app, 'intranet', path);
const pictures = () => Array.from({ length: 10 }, (_, index) => `<img src="${intranetAt(`/images/hills.png?${index}`)}">`).join('');
const pageOfParts =
  () => `<!DOCTYPE html><title>Parts</title><link rel="icon" href="data:,"><link rel="stylesheet" href="${intranetAt('/css/parts.css')}">
<h1>Parts</h1>${pictures()}<script src="${intranetAt('/css/parts.js')}"></script>
<iframe src="${intranetAt('/ictinschools.htm')}"></iframe>`;

beforeAll(async () => {
  music = await startServer((_request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end(pageOfParts()));
  foreign = await startServer((_request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end(pictures()));
  intranet = await startServer(({ url }, response) => {
    const [type, body] = url === '/css/parts.css' ? ['text/css', 'h1 { color: rgb(1, 2, 3) }'] : ['text/javascript', 'window.ran = true'];
    response.writeHead(200, { 'content-type': type }).end(body);
  });
  const change = (deps: Parameters<typeof withUpstreams>[0]) =>
    withUpstreams(deps, page => {
      if (page.service === 'hms') return music.origin;
      return page.host.startsWith('intranet') && page.path === '/css' ? intranet.origin : null;
    });
  [app, browser] = await Promise.all([startApp({ change }), launchChromium()]);
});
afterAll(async () => {
  await browser?.close();
  await app?.close();
  await Promise.all([music, intranet, foreign].map(server => server?.close()));
});

/** Signed in at the portal and at one site, and by no navigation at the intranet. */
async function signedInAt(address: string, userId: string, password: string): Promise<Visitor> {
  const visitor = await openVisitor(browser);
  visitor.context.setDefaultTimeout(60_000);
  await visitor.page.goto(address);
  await signInHere(visitor, userId, password);
  await visitor.page.waitForURL(address, { waitUntil: 'load' });
  return visitor;
}

const widths = (page: Page): Promise<number[]> =>
  page.locator('img').evaluateAll(found => found.map(one => (one as HTMLImageElement).naturalWidth));

test('a page of www3 shows a picture of the intranet', async () => {
  const { page, context, complaints } = await signedInAt(siteAddress(app, 'www3', '/trailblazer/news.htm'), 'WENDY166', 'heron-basket-166');
  const picture = page.getByAltText('The map of a walk');
  expect(await picture.getAttribute('src')).toBe(intranetAt('/images/walk.svg'));
  expect(await picture.evaluate(one => (one as HTMLImageElement).naturalWidth)).toBe(240);
  expect((await context.cookies(intranetAt('/'))).map(({ name }) => name)).toContain('portal');
  expect(complaints).toEqual([]);
});

test('ten pictures, a style, a script and a frame of another site all arrive at once, by whatever nonce is left', async () => {
  const address = siteAddress(app, 'www', '/educationandlearning/hampshireremusic');
  const { page, complaints } = await signedInAt(address, 'JSMITH12', 'cobalt-garden-12');
  expect(await widths(page)).toEqual(Array(10).fill(240));
  expect(await page.locator('h1').evaluate(one => getComputedStyle(one).color)).toBe('rgb(1, 2, 3)');
  expect(await page.evaluate('window.ran')).toBe(true);
  await page.frameLocator('iframe').getByText('Signed in as Jane Smith').waitFor();
  expect(complaints).toEqual([]);
});

test('a foreign website that shows them gets nothing, and makes no session', async () => {
  const visitor = await openVisitor(browser);
  visitor.context.setDefaultTimeout(60_000);
  await visitor.page.goto(app.portal);
  await signInHere(visitor, 'WENDY166', 'heron-basket-166');
  await visitor.page.getByText('Hello Wendy').waitFor();
  const { page, context } = visitor;
  await page.goto(foreign.origin);
  expect(await widths(page)).toEqual(Array(10).fill(0));
  expect(await context.cookies(intranetAt('/'))).toEqual([]);
});
