import { expect, test } from 'vitest';
import { look } from './looks.ts';
import type { Walk } from './walk.ts';

/** The guide's third chapter: Wendy becomes an administrator; then her security phone is deleted. */
export function additionalAdministrators(walk: Walk): void {
  test('1, 2. Follow the instructions above, up to the boxes of the user whom the headteacher decided on', async () => {
    const { page } = await walk.visitor('James');
    await page.getByRole('navigation', { name: 'Menu' }).getByRole('link', { name: 'Organisation admin' }).click();
    await page.getByRole('main').getByRole('link', { name: 'Manage users', exact: true }).click();
    await page.getByRole('link', { name: 'Wendy', exact: true }).click();
    await page.getByText('The headteacher decides who should be an administrator').waitFor();
  });

  test('3, 4. Tick the box ‘Organisation Admin’. Click ‘Save changes’', async () => {
    const { page } = await walk.visitor('James');
    await page.getByRole('checkbox', { name: 'Organisation Admin' }).check();
    await page.getByRole('button', { name: 'Save changes' }).click();
    await page.getByRole('heading', { level: 1, name: 'Make Wendy an Organisation Administrator?' }).waitFor();
    await look(page, 'confirm-administrator');
    await page.getByRole('button', { name: 'Make administrator' }).click();
    await page.getByRole('alert').getByText('Added: Organisation Admin').waitFor();
    expect((await walk.emailsTo('wendy.hcc@ola.example'))[0]?.text).toMatch(/Added\s+\* Organisation Admin/);
  });

  test('the new administrator gets a code on the phone she has, and manages users', async () => {
    const wendy = await walk.visitor('Wendy');
    const { page } = wendy;
    await page.goto(walk.app.portal);
    await walk.signIn(wendy, 'WENDY166');
    await page.getByRole('main').getByRole('link', { name: 'Organisation Admin', exact: true }).click();
    await page.getByText('by text message to a number ending 166').waitFor();
    await look(page, 'code-to-be-sent');
    await page.getByRole('button', { name: 'Get a code' }).click();
    await page.getByRole('heading', { name: 'I cannot use this phone' }).waitFor();
    await page.getByLabel('Code').fill(await walk.newestCode());
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('heading', { level: 1, name: 'Organisation administration hub' }).waitFor();
    expect(await page.getByText('Add a second administrator').count()).toBe(0);
  });

  test('Delete OTP number: she is asked to set up a phone again, at once', async () => {
    const { page } = await walk.visitor('James');
    await page.getByRole('link', { name: 'Manage users' }).click();
    await page.getByRole('link', { name: 'Delete OTP number of Wendy' }).click();
    await page.getByRole('heading', { level: 1, name: 'Delete Wendy’s OTP number?' }).waitFor();
    await look(page, 'delete-phone');
    await page.getByRole('button', { name: 'Delete OTP number' }).click();
    await page.getByRole('alert').getByText('The OTP number of Wendy has been deleted').waitFor();
    expect(await page.getByRole('link', { name: 'Delete OTP number' }).count()).toBe(1);
    expect((await walk.emailsTo('wendy.hcc@ola.example'))[0]?.subject).toMatch(/security phone number.*deleted/);
    const wendy = await walk.visitor('Wendy');
    await wendy.page.getByRole('link', { name: 'Manage users', exact: true }).click();
    await wendy.page.getByRole('heading', { level: 1, name: 'Enter your mobile phone number' }).waitFor();
  });
}
