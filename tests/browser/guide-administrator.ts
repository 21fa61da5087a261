import { expect, test } from 'vitest';
import { look } from './looks.ts';
import { siteAddress } from './visitor.ts';
import type { Walk } from './walk.ts';

/** The guide's first chapter: James Howell, Organisation Administrator, gives Ken a service. */
export function provideAccess(walk: Walk): void {
  test('1. Go to the Services Portal sign in page, by the address in everybody’s bookmarks', async () => {
    const { page } = await walk.visitor('James');
    await page.goto(siteAddress(walk.app, 'www', '/business/servicesportal/signin'));
    expect(page.url()).toBe(`${walk.app.portal}/sign-in`);
    const main = page.getByRole('main');
    expect(await main.getByRole('heading', { level: 1 }).textContent()).toBe('Sign in to your Services Portal account');
    expect(await main.textContent()).toMatch(
      /Knowing your user name\s+Education account holders and Hampshire County Council staff should use their existing userids and passwords\. For example, JSMITH12\s+All other users should use the email address they were registered with\./,
    );
    for (const link of ['Sign in', 'Register', 'Help']) await page.getByRole('navigation', { name: 'Menu' }).getByText(link).waitFor();
    expect(await main.getByRole('link', { name: 'Forgot password?' }).isVisible()).toBe(true);
    expect(await main.getByRole('button', { name: 'Show password' }).count()).toBe(walk.javaScript ? 1 : 0);
    await look(page, 'sign-in');
  });

  test('an empty form says what is missing, above it and beside the field', async () => {
    const { page } = await walk.visitor('James');
    await page.getByRole('main').getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'There is a problem' }).waitFor();
    expect(await page.title()).toMatch(/^Error: Sign in to your Services Portal account/);
    expect(await page.getByText('Enter your password').count()).toBe(2);
    await look(page, 'sign-in-errors');
  });

  test('2. Sign in using your existing Education account User ID and password; you arrive on your account page', async () => {
    const james = await walk.visitor('James');
    await walk.signIn(james, 'JHOWEL12');
    const main = james.page.getByRole('main');
    await main.getByRole('heading', { level: 1, name: 'Your Services Portal account' }).waitFor();
    expect(await main.textContent()).toMatch(/Hello James\s+Organisation: Innovations PLC - SP3/);
    expect(await main.getByRole('heading', { level: 2 }).allTextContents()).toEqual(['Tools', 'Services', expect.anything()]);
    expect(await main.getByRole('heading', { level: 3 }).getByRole('link').allTextContents()).toEqual([
      'Organisation Admin',
      'Education Financial Services',
      'Hampshire Inspectorate Advisory Service',
    ]);
    await look(james.page, 'tiles');
  });

  test('3. Click on the ‘Organisation Admin’ tile', async () => {
    const { page } = await walk.visitor('James');
    await page.getByRole('main').getByRole('link', { name: 'Organisation Admin' }).click();
    await page.getByRole('heading', { level: 1, name: 'Enter your mobile phone number' }).waitFor();
    await look(page, 'phone');
  });

  test('4. Enter your mobile phone number', async () => {
    const { page } = await walk.visitor('James');
    await page.getByLabel('Mobile phone number').fill('01962 144');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('heading', { name: 'There is a problem' }).waitFor();
    await look(page, 'phone-errors');
    await page.getByLabel('Mobile phone number').fill('07700 900 982');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('heading', { level: 1, name: 'Confirm code' }).waitFor();
    expect(await page.getByRole('navigation', { name: 'Breadcrumb' }).getByRole('listitem').allTextContents()).toEqual([
      'Hantsweb',
      'Business, economy and consumers',
      'Services Portal',
      'Your Services Portal account',
      'Register secure number',
    ]);
    expect(await page.getByRole('button', { name: 'Get new code' }).isVisible()).toBe(true);
    await look(page, 'code');
  });

  test('5. Check your mobile text messages for your 6-digit confirmation code', async () => {
    const newest = (await walk.app.outbox())[0];
    expect(newest).toMatchObject({ kind: 'text', to: '+447700900982' });
    expect(await walk.newestCode()).toMatch(/^\d{6}$/);
  });

  test('6. Enter the 6 digit code (without any spaces) and continue', async () => {
    const { page } = await walk.visitor('James');
    await page.getByLabel('Code').fill('12345');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('heading', { name: 'There is a problem' }).waitFor();
    await look(page, 'code-errors');
    await page.getByLabel('Code').fill(await walk.newestCode());
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('heading', { level: 1, name: 'Organisation administration hub' }).waitFor();
    expect((await walk.emailsTo('james.howell@innovations.example'))[0]?.text).toContain('The number ends in 982');
  });

  test('7. You will see two options. Click on the ‘Manage users’ tile', async () => {
    const { page } = await walk.visitor('James');
    const tiles = page.getByRole('main').getByRole('listitem').getByRole('link');
    expect(await tiles.allTextContents()).toEqual(['Register new user', 'Manage users']);
    await look(page, 'hub');
    await tiles.getByText('Manage users').click();
    await page.getByRole('heading', { level: 1, name: 'Manage users' }).waitFor();
    await page.getByText('Manage the users in your organisation').waitFor();
    expect(await page.getByRole('columnheader').allTextContents()).toEqual(
      expect.arrayContaining(['Name', 'Email', 'Phone', expect.stringMatching(/^OTP/), 'Delete user']),
    );
    expect(await page.getByRole('rowheader').count()).toBe(10);
    expect(await page.getByRole('link', { name: 'Delete OTP number' }).count()).toBe(2);
    await look(page, 'manage-users');
  });

  test('8. Select the relevant user from the list, which a search makes short', async () => {
    const { page } = await walk.visitor('James');
    const search = page.getByRole('searchbox', { name: 'Search' });
    const rows = page.getByRole('rowheader');
    await search.pressSequentially('ke');
    if (walk.javaScript) {
      await page.getByRole('status').getByText('2 people matching ‘ke’').waitFor();
      await search.pressSequentially('n');
      await page.getByRole('status').getByText('1 person matching ‘ken’').waitFor();
      expect(await search.evaluate(input => document.activeElement === input)).toBe(true);
    } else {
      expect(await rows.count()).toBe(10);
      await search.fill('ken');
      await page.getByRole('button', { name: 'Search' }).click();
      await page.getByRole('status').getByText('1 person matching ‘ken’').waitFor();
    }
    expect(page.url()).toMatch(/\/people\?q=ken$/);
    expect(await rows.count()).toBe(1);
    await look(page, 'manage-users-found');
    await rows.getByRole('link', { name: 'Ken' }).click();
    await page.getByRole('heading', { level: 1, name: 'Manage user access' }).waitFor();
  });

  test('9. Select the tick box next to the web pages you wish the user to have access to. Click ‘Save changes’', async () => {
    const { page } = await walk.visitor('James');
    const main = page.getByRole('main');
    await main.getByRole('heading', { name: 'Add/remove roles' }).waitFor();
    const boxes = await main
      .getByRole('checkbox')
      .evaluateAll(inputs => inputs.map(input => (input as HTMLInputElement).labels?.[0]?.textContent?.trim()));
    expect(boxes).toEqual([
      'Education Financial Services',
      'Education Personnel Services – Manual of Personnel Practise',
      'Governor Services',
      'Hampshire Inspectorate Advisory Service',
      'Hampshire Music Service',
      'Property',
      'Schools Intranet',
      'Trailblazer',
      'Organisation Admin',
    ]);
    await main.getByRole('checkbox', { name: 'Trailblazer' }).check();
    await main.getByRole('checkbox', { name: 'Governor Services' }).check();
    await look(page, 'manage-access');
    await main.getByRole('button', { name: 'Save changes' }).click();
    const banner = page.getByRole('alert');
    await banner.getByText('Access updated for Ken').waitFor();
    expect(await banner.textContent()).toContain('Added: Governor Services; Trailblazer');
    await look(page, 'manage-access-saved');
  });

  test('10. The staff user will receive a notification each time you update their access', async () => {
    const [email] = await walk.emailsTo('ken.hcc@ola.example');
    expect(email?.subject).toBe('Your access to Services Portal has changed');
    expect(email?.text).toMatch(/James Howell.*Added\s+\* Governor Services\s+\* Trailblazer.*\/business\/servicesportal\/signin/s);
    const { page } = await walk.visitor('Ken’s inbox');
    await page.goto(`${walk.app.portal}/demo/outbox`);
    await look(page, 'outbox');
    await page.getByRole('link', { name: /mail program.*Your access to Services Portal has changed, to ken\.hcc@ola\.example/ }).click();
    await page.getByRole('heading', { level: 1, name: 'Your access to Services Portal has changed' }).waitFor();
    await page.getByText('This email was sent by Hampshire County Council, The Castle, Winchester SO23 8UJ').waitFor();
    await look(page, 'email');
  });
}
