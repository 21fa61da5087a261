import { expect, test } from 'vitest';
import { look, lookAtLegacy } from './looks.ts';
import { siteAddress } from './visitor.ts';
import type { Walk } from './walk.ts';

/** The guide's second chapter: Ken, who has been given two services. */
export function staffSignIn(walk: Walk): void {
  test('1. Staff users should go to the Services Portal sign in page, from the e-mail or a bookmark', async () => {
    const { page } = await walk.visitor('Ken’s inbox');
    await page.getByRole('link', { name: '/business/servicesportal/signin' }).click();
    await page.getByRole('heading', { level: 1, name: 'Sign in to your Services Portal account' }).waitFor();
    expect(page.url()).toBe(`${walk.app.portal}/sign-in`);
  });

  test('2. They sign in using their existing Education Account User ID and password', async () => {
    const ken = await walk.visitor('Ken');
    await ken.page.goto(`${walk.app.portal}/sign-in`);
    await ken.page.getByLabel('User ID').fill('ken.hcc@ola.example');
    await ken.page.getByLabel('Password', { exact: true }).fill('not-the-password');
    await ken.page.getByRole('main').getByRole('button', { name: 'Sign in' }).click();
    await ken.page.getByRole('link', { name: 'sign in with your user ID, like JSMITH12, not your email address' }).waitFor();
    await look(ken.page, 'sign-in-refused');
    await walk.signIn(ken, 'KEN144');
  });

  test('3. The staff user will arrive at their account page and can open what they were given', async () => {
    const { page } = await walk.visitor('Ken');
    await page.getByText('Hello Ken').waitFor();
    expect(await page.getByRole('heading', { name: 'Tools' }).count()).toBe(0);
    const tiles = page.getByRole('main').getByRole('heading', { level: 3 }).getByRole('link');
    expect(await tiles.allTextContents()).toEqual(['Governor Services', 'Trailblazer']);
    await look(page, 'tiles-staff');
    await tiles.getByText('Trailblazer').click();
    await page.waitForURL(siteAddress(walk.app, 'www3', '/trailblazer/'));
    await page.getByText('Signed in as Ken').waitFor();
    await lookAtLegacy(page, 'legacy');
  });

  test('a legacy page opened while signed out leads to sign-in, and from there to the page', async () => {
    const ken = await walk.visitor('Ken at home');
    await ken.page.goto(siteAddress(walk.app, 'www3', '/trailblazer-login'));
    await ken.page.getByText('Sign in to open that page. We will take you there.').waitFor();
    await look(ken.page, 'sign-in-needed');
    await walk.signIn(ken, 'KEN144');
    await ken.page.waitForURL(siteAddress(walk.app, 'www3', '/trailblazer/'));
    await ken.page.getByText('Signed in as Ken').waitFor();
    await ken.page.goto(siteAddress(walk.app, 'www', '/educationandlearning/governors'));
    await ken.page.getByText('Signed in as Ken').waitFor();
  });
}

export function takeAccessAway(walk: Walk): void {
  test('untick the box, click ‘Save changes’', async () => {
    const { page } = await walk.visitor('James');
    expect(await page.getByRole('checkbox', { name: 'Trailblazer' }).isChecked()).toBe(true);
    await page.getByRole('checkbox', { name: 'Trailblazer' }).uncheck();
    await page.getByRole('button', { name: 'Save changes' }).click();
    await page.getByRole('alert').getByText('Removed: Trailblazer').waitFor();
  });

  test('the next request is refused, by a page that names the administrators', async () => {
    for (const where of ['Ken', 'Ken at home']) {
      const { page } = await walk.visitor(where);
      const answer = await page.goto(siteAddress(walk.app, 'www3', '/trailblazer/news.htm'));
      expect(answer?.status()).toBe(403);
      const main = await page.getByRole('main').textContent();
      expect(main).toContain('You do not have access to Trailblazer for Outdoor Learning & Environmental Education');
      expect(main).toMatch(/Check with your school office first .*who can give you access:\s+James Howell/s);
    }
    await look((await walk.visitor('Ken')).page, 'denied');
  });

  test('4. The staff user will receive a notification each time their account is updated; the tile has gone', async () => {
    const emails = await walk.emailsTo('ken.hcc@ola.example');
    expect(emails).toHaveLength(2);
    expect(emails[0]?.text).toMatch(/Removed\s+\* Trailblazer\s+You now have\s+\* Governor Services/);
    const { page } = await walk.visitor('Ken');
    await page.getByRole('link', { name: 'See the services you can use' }).click();
    await page.getByText('Hello Ken').waitFor();
    expect(await page.getByRole('main').getByRole('heading', { level: 3 }).getByRole('link').allTextContents()).toEqual([
      'Governor Services',
    ]);
  });

  test('saving without a change sends nothing and says so', async () => {
    const { page } = await walk.visitor('James');
    await page.getByRole('button', { name: 'Save changes' }).click();
    await page.getByText('You did not change anything').waitFor();
    await look(page, 'manage-access-unchanged');
    expect(await walk.emailsTo('ken.hcc@ola.example')).toHaveLength(2);
  });

  test('two people at once: the later form is not saved, and both sets are shown', async () => {
    const { page, context } = await walk.visitor('James');
    const second = await context.newPage();
    await second.goto(page.url());
    await second.getByRole('checkbox', { name: 'Property' }).check();
    await second.getByRole('button', { name: 'Save changes' }).click();
    await second.getByRole('alert').getByText('Added: Property').waitFor();
    await second.close();
    await page.getByRole('checkbox', { name: 'Schools Intranet' }).check();
    await page.getByRole('button', { name: 'Save changes' }).click();
    await page.getByRole('heading', { level: 1, name: 'Someone else changed this person’s access' }).waitFor();
    await look(page, 'changed-meanwhile');
  });
}
