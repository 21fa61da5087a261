import { mkdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type Axe from 'axe-core';
import type { CDPSession, Page } from 'playwright-core';
import { expect } from 'vitest';

const wcag = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
const ours = [...wcag, 'best-practice'];
const sizes = [
  { width: 320, height: 640 },
  { width: 1280, height: 800 },
];
// With SCREENSHOTS set, every page looked at is kept here as a picture.
const folder = fileURLToPath(new URL('../../screenshots/', import.meta.url));
const axe = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');

declare global {
  interface Window {
    axe: typeof Axe;
  }
}

/** Looks at one of our pages on a telephone and on a desk: nothing for axe to find, and nothing to scroll sideways. */
export const look = (page: Page, name: string): Promise<void> => lookFor(ours, page, name);

/** The demo's old pages keep the rules, and not every good habit. */
export const lookAtLegacy = (page: Page, name: string): Promise<void> => lookFor(wcag, page, name);

async function lookFor(tags: string[], page: Page, name: string): Promise<void> {
  const still = !(await runsScripts(page));
  for (const size of sizes) {
    await page.setViewportSize(size);
    const { scrollWidth, clientWidth } = await widthsOf(page);
    expect(scrollWidth, `${name} scrolls sideways at ${size.width}`).toBeLessThanOrEqual(clientWidth);
    const found = still ? await whileScriptsRun(page, () => findings(page, tags)) : await findings(page, tags);
    expect(found, `${name} at ${size.width}`).toEqual([]);
    if (process.env.SCREENSHOTS && !still) await takePicture(page, `${name}-${size.width}.png`);
  }
}

async function findings(page: Page, tags: string[]): Promise<string[]> {
  // Half a megabyte to read and compile, so once for each page, not for each of its sizes.
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axe);
  const { violations, passes } = await page.evaluate(async runOnly => {
    // Fetching styles once more, to read them, is what the policy of our pages forbids. Of what passes, the count will do.
    const results = await window.axe.run({ runOnly, preload: false, resultTypes: ['violations'] });
    return { violations: results.violations, passes: results.passes.length };
  }, tags);
  // An axe that could not run would find nothing either.
  expect(passes).toBeGreaterThan(5);
  return violations.flatMap(({ id, nodes }) => nodes.map(node => `${id}: ${node.html}`));
}

const runsScripts = (page: Page): Promise<boolean> => page.evaluate(() => matchMedia('(scripting: enabled)').matches);

/** Where no script runs axe cannot either: it may for a moment, in a page whose own scripts were not even fetched. */
async function whileScriptsRun<T>(page: Page, work: () => Promise<T>): Promise<T> {
  const session = sessions.get(page) ?? (await page.context().newCDPSession(page));
  sessions.set(page, session);
  const disable = (value: boolean) => session.send('Emulation.setScriptExecutionDisabled', { value });
  // Chromium passes over what a session says for a second time, or takes back without having said it.
  await disable(true);
  await disable(false);
  try {
    return await work();
  } finally {
    await disable(true);
  }
}

// A session that ends takes with it what it has set.
const sessions = new WeakMap<Page, CDPSession>();

const widthsOf = (page: Page) =>
  page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return { scrollWidth, clientWidth };
  });

async function takePicture(page: Page, file: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: `${folder}${file}`, fullPage: true, animations: 'disabled' });
}
