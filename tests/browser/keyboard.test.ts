import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startApp, type TestApp } from '../app.ts';
import { launchChromium, openVisitor } from './visitor.ts';

let app: TestApp;
let browser: Browser;
let page: Page;

beforeAll(async () => {
  [app, browser] = await Promise.all([startApp(), launchChromium()]);
  ({ page } = await openVisitor(browser));
});
afterAll(async () => {
  await browser?.close();
  await app?.close();
});

type Focused = { name: string; covered: boolean; order: number };

/** What has the focus, by what a person reads on it; whether anything lies over it, and where it stands on the page. */
function focused(): Promise<Focused> {
  return page.evaluate(() => {
    const element = document.activeElement as HTMLElement;
    const labels = 'labels' in element ? [...(element.labels as NodeListOf<HTMLLabelElement>)] : [];
    const name = (labels.length > 0 ? labels : [element]).map(part => part.textContent.trim().replace(/\s+/g, ' ')).join(' ');
    const box = element.getBoundingClientRect();
    const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    return {
      name,
      covered: ![element, ...labels].some(part => part.contains(top)),
      order: [...document.querySelectorAll('*')].indexOf(element),
    };
  });
}

/** Whether the focus changes how its place looks: the outline, shadow or ground of the element, or of the box its label draws. */
function ringShows(): Promise<boolean> {
  return page.evaluate(() => {
    const element = document.activeElement as HTMLElement;
    const labels = 'labels' in element ? [...(element.labels as NodeListOf<HTMLLabelElement>)] : [];
    const look = () =>
      [element, ...labels]
        .flatMap(part => [getComputedStyle(part), getComputedStyle(part, '::before')])
        .map(({ outline, boxShadow, backgroundColor }) => [outline, boxShadow, backgroundColor].join())
        .join();
    const withFocus = look();
    element.blur();
    const without = look();
    element.focus({ preventScroll: true });
    return withFocus !== without;
  });
}

/** Presses Tab until the focus stands on something so called. Every stop on the way is seen, uncovered, and after the one before. */
async function tabTo(name: string): Promise<void> {
  let before = (await focused()).order;
  for (let stops = 0; stops < 80; stops += 1) {
    await page.keyboard.press('Tab');
    const stop = await focused();
    expect(stop.covered, `something lies over ${stop.name}`).toBe(false);
    expect(await ringShows(), `${stop.name} shows that it has the focus`).toBe(true);
    expect(stop.order, `${stop.name} comes after what stands before it`).toBeGreaterThan(before);
    if (stop.name === name) return;
    before = stop.order;
  }
  throw new Error(`Tab does not lead to ${name}`);
}

const arriveAt = (heading: string) => page.getByRole('heading', { level: 1, name: heading }).waitFor();
const newestCode = async () => /\d{6}/.exec((await app.outbox())[0]?.text ?? '')?.[0] ?? '';

test('the skip link is the first stop, and leads past the menu', async () => {
  await page.goto(`${app.portal}/sign-in`);
  await page.keyboard.press('Tab');
  expect((await focused()).name).toBe('Skip to main content');
  await page.keyboard.press('Enter');
  await tabTo('User ID');
});

test('after an error the focus is on the summary, and its first link leads to the field', async () => {
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'There is a problem' }).waitFor();
  expect((await focused()).name).toMatch(/^There is a problem/);
  await page.keyboard.press('Tab');
  expect((await focused()).name).toBe('Enter your user ID or email address');
  await page.keyboard.press('Enter');
  expect((await focused()).name).toBe('User ID');
});

test('signing in, the code, and a service for Ken, without a mouse', async () => {
  await page.keyboard.type('JHOWEL12');
  await tabTo('Password');
  await page.keyboard.type('lantern-harbour-12');
  await tabTo('Show');
  await page.keyboard.press('Space');
  expect(await page.getByLabel('Password', { exact: true }).getAttribute('type')).toBe('text');
  await tabTo('Sign in');
  await page.keyboard.press('Enter');
  await arriveAt('Your Services Portal account');
  await tabTo('Organisation Admin');
  await page.keyboard.press('Enter');
  await arriveAt('Enter your mobile phone number');
  await tabTo('Mobile phone number');
  await page.keyboard.type('07700 900 982');
  await page.keyboard.press('Enter');
  await arriveAt('Confirm code');
  await tabTo('Code');
  await page.keyboard.type(await newestCode());
  await page.keyboard.press('Enter');
  await arriveAt('Organisation administration hub');
  await tabTo('Manage users');
  await page.keyboard.press('Enter');
  await arriveAt('Manage users');
  await tabTo('Search');
  await page.keyboard.type('ken');
  await page.getByRole('status').getByText('1 person matching ‘ken’').waitFor();
  await tabTo('Ken');
  await page.keyboard.press('Enter');
  await arriveAt('Manage user access');
});

test('boxes are ticked by Space, the date is reached from its box, and after saving the focus is on the news', async () => {
  await tabTo('Trailblazer');
  await page.keyboard.press('Space');
  expect(await page.getByRole('checkbox', { name: 'Trailblazer' }).isChecked()).toBe(true);
  await tabTo('Access to Trailblazer ends on (optional)');
  await page.keyboard.type('31 3 2099');
  await tabTo('Save changes');
  await page.keyboard.press('Space');
  await page.getByRole('alert').getByText('Access updated for Ken').waitFor();
  expect((await focused()).name).toMatch(/^Success Access updated for Ken Added: Trailblazer, until 31 March 2099/);
});

test('signing out is reached as well, also from the menu of a narrow screen', async () => {
  await page.setViewportSize({ width: 320, height: 640 });
  await page.goto(app.portal);
  await tabTo('Menu');
  await page.keyboard.press('Enter');
  await tabTo('Sign out');
  await page.keyboard.press('Enter');
  await page.getByText('You have signed out.').waitFor();
});
