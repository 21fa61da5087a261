import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';

const wcag = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
const ours = [...wcag, 'best-practice'];
const sizes = [
  { width: 320, height: 640 },
  { width: 1280, height: 800 },
];
// With SCREENSHOTS set, every page looked at is kept here as a picture.
const folder = fileURLToPath(new URL('../../screenshots/', import.meta.url));

/** Looks at one of our pages on a telephone and on a desk: nothing for axe to find, and nothing to scroll sideways. */
export const look = (page: Page, name: string): Promise<void> => lookFor(ours, page, name);

/** The demo's old pages keep the rules, and not every good habit. */
export const lookAtLegacy = (page: Page, name: string): Promise<void> => lookFor(wcag, page, name);

async function lookFor(tags: string[], page: Page, name: string): Promise<void> {
  const seen = (await runsScripts(page)) ? page : await stillOf(page);
  for (const size of sizes) {
    await page.setViewportSize(size);
    await seen.setViewportSize(size);
    const { scrollWidth, clientWidth } = await widthsOf(page);
    expect(scrollWidth, `${name} scrolls sideways at ${size.width}`).toBeLessThanOrEqual(clientWidth);
    expect(await findings(seen, tags), `${name} at ${size.width}`).toEqual([]);
    if (process.env.SCREENSHOTS && seen === page) await takePicture(page, `${name}-${size.width}.png`);
  }
}

async function findings(page: Page, tags: string[]): Promise<string[]> {
  // Fetching styles once more, to read them, is what the policy of our pages forbids.
  const options = { runOnly: tags, preload: false };
  const { violations, passes } = await new AxeBuilder({ page }).options(options).setLegacyMode(true).analyze();
  // An axe that could not run would find nothing either.
  expect(passes.length).toBeGreaterThan(5);
  return violations.flatMap(({ id, nodes }) => nodes.map(node => `${id}: ${node.html}`));
}

const runsScripts = (page: Page): Promise<boolean> => page.evaluate(() => matchMedia('(scripting: enabled)').matches);

/** Where no script runs axe cannot either: the same page, its styles and none of its scripts, in a window of axe's own. */
async function stillOf(page: Page): Promise<Page> {
  const still = stills.get(page) ?? (await openStill(page));
  stills.set(page, still);
  await still.context().addCookies(await page.context().cookies());
  // What the address answers now may be another page; what counts is to stand at the same origin.
  await still.goto(page.url());
  await still.setContent(await page.content(), { waitUntil: 'load' });
  return still;
}

const stills = new WeakMap<Page, Page>();

async function openStill(page: Page): Promise<Page> {
  const still = await page.context().browser()?.newPage();
  if (!still) throw new Error('a page of no browser');
  await still.route('**/*', route => (route.request().resourceType() === 'script' ? route.abort() : route.continue()));
  return still;
}

const widthsOf = (page: Page) =>
  page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return { scrollWidth, clientWidth };
  });

async function takePicture(page: Page, file: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: `${folder}${file}`, fullPage: true, animations: 'disabled' });
}
