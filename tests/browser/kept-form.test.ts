import { createHash } from 'node:crypto';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startApp, type TestApp } from '../app.ts';
import { startServer, withUpstreams } from '../legacy-wire.ts';
import { look } from './looks.ts';
import { launchChromium, openVisitor, signInHere, siteAddress, type Visitor } from './visitor.ts';

const bytes = Buffer.from(Array.from({ length: 20_000 }, (_, index) => (index * 31) % 256));
const upload =
  '<link rel="icon" href="data:,"><h1>Budget</h1><form method="post" enctype="multipart/form-data"><input type="file" name="f"><button>Send budget</button></form>';

let app: TestApp;
let browser: Browser;
let office: Awaited<ReturnType<typeof startServer>>;
const arrived: Buffer[] = [];

beforeAll(async () => {
  office = await startServer(async (request, response) => {
    if (request.method === 'POST') arrived.push(Buffer.concat(await request.toArray()));
    const answer =
      request.method === 'POST' ? '<link rel="icon" href="data:,"><h1>Budget received</h1><a href="budget.asp">Another</a>' : upload;
    response.writeHead(200, { 'content-type': 'text/html' }).end(answer);
  });
  const change = (deps: Parameters<typeof withUpstreams>[0]) =>
    withUpstreams(deps, ({ service }) => (service === 'efs' ? office.origin : null));
  [app, browser] = await Promise.all([startApp({ change }), launchChromium()]);
});
afterAll(async () => {
  await browser?.close();
  await app?.close();
  await office?.close();
});

const headed = (page: Page, name: string) => page.getByRole('heading', { level: 1, name }).waitFor();

async function atWork(path: string, userId: string, password: string, javaScript: boolean): Promise<Visitor> {
  const visitor = await openVisitor(browser, { javaScript });
  visitor.context.setDefaultTimeout(60_000);
  await visitor.page.goto(siteAddress(app, 'www3', path));
  await signInHere(visitor, userId, password);
  await visitor.page.waitForURL(siteAddress(app, 'www3', path));
  return visitor;
}

const awayForAnHour = () => {
  app.clock.now += 61 * 60_000;
};

test.each([
  { javaScript: false, how: 'without JavaScript' },
  { javaScript: true, how: 'with JavaScript' },
])('a form sent after an hour away waits, is sent by a button, and its answer stands where it stood, $how', async ({ javaScript }) => {
  const wendy = await atWork('/trailblazer/contact.htm', 'WENDY166', 'heron-basket-166', javaScript);
  const { page, complaints } = wendy;
  await page.getByLabel('Message').fill('Zoë & the café <b>');
  awayForAnHour();
  await page.getByRole('button', { name: 'Send message' }).click();
  await page.getByText('We have kept it: sign in again, and you can send it.').waitFor();
  await signInHere(wendy, 'WENDY166', 'heron-basket-166');
  await headed(page, 'Send your form?');

  await page.getByRole('button', { name: 'Send my form' }).click();
  await page.getByText('Thank you. We received this:').waitFor();
  expect(page.url()).toBe(siteAddress(app, 'www3', '/trailblazer/contact.htm'));
  expect(await page.locator('.received').textContent()).toContain('Zoë & the café <b>');

  // A browser asks before it sends a form again; here it does so at once.
  await page.reload();
  await headed(page, 'This form is not here any more');
  expect(complaints).toEqual([]);
});

test('a form with a file arrives byte for byte, without JavaScript', async () => {
  const james = await atWork('/efs/budget.asp', 'JHOWEL12', 'lantern-harbour-12', false);
  const { page, complaints } = james;
  await page.locator('input[type=file]').setInputFiles({ name: 'büdget.xls', mimeType: 'application/vnd.ms-excel', buffer: bytes });
  awayForAnHour();
  await page.getByRole('button', { name: 'Send budget' }).click();
  await signInHere(james, 'JHOWEL12', 'lantern-harbour-12');
  await page.getByRole('button', { name: 'Send my form' }).click();
  await headed(page, 'Budget received');
  const [body] = arrived.splice(0);
  const start = body?.indexOf('\r\n\r\n') ?? 0;
  const digest = (file: Buffer | undefined) =>
    createHash('sha256')
      .update(file ?? '')
      .digest('hex');
  expect(digest(body?.subarray(start + 4, start + 4 + bytes.length))).toBe(digest(bytes));
  expect(complaints).toEqual([]);
});

test('a form sent after signing out in another tab is lost, and its sender is told and goes on', async () => {
  const wendy = await atWork('/trailblazer/contact.htm', 'WENDY166', 'heron-basket-166', true);
  const { page, context, complaints } = wendy;
  const other = await context.newPage();
  await other.goto(app.portal);
  await other.getByRole('button', { name: 'Sign out' }).click();
  await other.getByText('You have signed out.').waitFor();
  await page.getByRole('button', { name: 'Send message' }).click();
  await headed(page, 'Your form was not sent');
  await page.getByRole('button', { name: 'Continue' }).click();
  await signInHere(wendy, 'WENDY166', 'heron-basket-166');
  await headed(page, 'Trailblazer: contact form');
  expect(page.url()).toBe(siteAddress(app, 'www3', '/trailblazer/contact.htm'));
  expect(complaints).toEqual([]);
});

test('the pages that tell of a kept and of a lost form can be used by everybody', async () => {
  const wendy = await atWork('/trailblazer/contact.htm', 'WENDY166', 'heron-basket-166', true);
  const { page } = wendy;
  awayForAnHour();
  await page.getByRole('button', { name: 'Send message' }).click();
  await look(page, 'sign-in-form-kept');
  await signInHere(wendy, 'WENDY166', 'heron-basket-166');
  await headed(page, 'Send your form?');
  await look(page, 'kept-form');
  await page.goto(`${app.portal}/sign-in/site?${new URLSearchParams({ to: page.url(), nonce: 'n'.repeat(43), form: 'lost' })}`);
  await headed(page, 'Your form was not sent');
  await look(page, 'form-lost');
});
