import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import type { TestApp } from '../app.ts';
import { chromiumPath } from '../servers.ts';

/** Somebody at a computer of their own: one window, its cookies, and everything the browser complained about. */
export type Visitor = { page: Page; context: BrowserContext; complaints: string[] };

/** Debian's Chromium. It resolves *.localhost by itself, and as root it runs only without its sandbox. */
export function launchChromium(args: string[] = []): Promise<Browser> {
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return chromium.launch({ executablePath: chromiumPath(), args: [...sandbox, ...args] });
}

export type VisitorOptions = BrowserContextOptions & { javaScript?: boolean; cookies?: Awaited<ReturnType<BrowserContext['cookies']>> };

export async function openVisitor(browser: Browser, { javaScript = true, cookies = [], ...rest }: VisitorOptions = {}): Promise<Visitor> {
  const desk = { javaScriptEnabled: javaScript, viewport: { width: 1280, height: 800 }, locale: 'en-GB' };
  const context = await browser.newContext({ ...desk, ...rest });
  context.setDefaultTimeout(10_000);
  await context.addCookies(cookies);
  const page = await context.newPage();
  return { page, context, complaints: complaintsOf(page) };
}

/** Errors, warnings and breaches of a policy; not that a page was refused on purpose, which a browser reports as well. */
function complaintsOf(page: Page): string[] {
  const complaints: string[] = [];
  const pages = new Set<string>();
  page.on('request', request => {
    if (request.isNavigationRequest()) pages.add(request.url());
  });
  page.on('console', message => {
    const ownStatus = message.text().startsWith('Failed to load resource: the server responded') && pages.has(message.location().url);
    if (['error', 'warning'].includes(message.type()) && !ownStatus) complaints.push(`${page.url()}: ${message.text()}`);
  });
  page.on('pageerror', error => complaints.push(`${page.url()}: ${error.message}`));
  page.on('requestfailed', request => {
    const reason = request.failure()?.errorText ?? '';
    // Somebody who types on, or leaves the page, breaks off what was being fetched.
    if (reason !== 'net::ERR_ABORTED') complaints.push(`${request.url()}: ${reason}`);
  });
  return complaints;
}

/** Signs in on the page of sign-in that the visitor stands on. */
export async function signInHere({ page }: Visitor, userId: string, password: string): Promise<void> {
  await page.getByLabel('User ID').fill(userId);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('main').getByRole('button', { name: 'Sign in' }).click();
}

/** The address of a page of a demo site, with the port the demo listens on. */
export const siteAddress = (app: TestApp, host: 'www' | 'www3' | 'intranet', path: string): string =>
  `http://${host}.hants.localhost:${app.port}${path}`;
