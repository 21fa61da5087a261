import { expect, test } from 'vitest';
import { look } from './looks.ts';
import { signInHere } from './visitor.ts';
import type { Walk } from './walk.ts';

const nadia = { email: 'nadia.rahman@innovations.example', password: 'saffron-bicycle-tuesday' };

/** The hub's first tile: somebody without an Education account is invited by e-mail. */
export function registerNewUser(walk: Walk): void {
  test('the question comes first, and must be answered', async () => {
    const { page } = await walk.visitor('James');
    await page.getByRole('navigation', { name: 'Menu' }).getByRole('link', { name: 'Organisation admin' }).click();
    await page.getByRole('main').getByRole('link', { name: 'Register new user' }).click();
    await page.getByText('Does this person have an Education account?').waitFor();
    await look(page, 'register');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('link', { name: 'Select if this person has an Education account' }).waitFor();
    await look(page, 'register-errors');
  });

  test('Education accounts are created elsewhere, and the page says where', async () => {
    const { page } = await walk.visitor('James');
    await page.getByRole('radio', { name: 'I am not sure' }).check();
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('heading', { name: 'Where should I create school users?' }).waitFor();
    await page.getByText('Users created in EAMW are not set up for SIMS').waitFor();
    await look(page, 'register-education');
    await page.getByRole('link', { name: 'They do not have an Education account' }).click();
  });

  test('everybody else gets an invitation', async () => {
    const { page } = await walk.visitor('James');
    await page.getByRole('button', { name: 'Send invitation' }).click();
    await page.getByRole('heading', { name: 'There is a problem' }).waitFor();
    await look(page, 'register-details-errors');
    await page.getByLabel('First name').fill('Nadia');
    await page.getByLabel('Last name').fill('Rahman');
    await page.getByLabel('Email address').fill(nadia.email);
    await look(page, 'register-details');
    await page.getByRole('button', { name: 'Send invitation' }).click();
    await page.getByRole('alert').getByText('Nadia Rahman has been added to Innovations PLC - SP3').waitFor();
    await look(page, 'register-done');
  });

  test('the invited person chooses a password by the link, and signs in', async () => {
    const { page, ...visitor } = await walk.visitor('Nadia');
    const link = /http\S+\/set-password\?token=\S+/.exec((await walk.emailsTo(nadia.email))[0]?.text ?? '')?.[0];
    await page.goto(link ?? 'no link was sent');
    await page.getByRole('heading', { level: 1, name: 'Choose a password' }).waitFor();
    await look(page, 'choose-password');
    await page.getByLabel('Password', { exact: true }).fill(nadia.password);
    await page.getByRole('button', { name: 'Save password' }).click();
    await page.getByText('Your password has been set. Sign in with it now.').waitFor();
    await signInHere({ page, ...visitor }, nadia.email, nadia.password);
    await page.getByText('You do not have access to any services yet').waitFor();
    await look(page, 'tiles-empty');
    await page.goto(link ?? '');
    await page.getByRole('heading', { level: 1, name: 'This link no longer works' }).waitFor();
    await look(page, 'link-expired');
  });
}

/** Mike leaves. He is signed in while James removes him. */
export function removeFromOrganisation(walk: Walk): void {
  test('Delete user asks why, and cannot be used on oneself', async () => {
    const mike = await walk.visitor('Mike');
    await mike.page.goto(walk.app.portal);
    await walk.signIn(mike, 'MIKE122');
    await mike.page.getByText('Hello Mike').waitFor();
    const { page } = await walk.visitor('James');
    await page.goto(`${walk.app.portal}/organisations/1/people`);
    expect(await page.getByRole('link', { name: 'Delete user James Howell' }).count()).toBe(0);
    await page.getByRole('link', { name: 'Delete user Mike' }).click();
    await page.getByRole('heading', { level: 1, name: 'Remove Mike from Innovations PLC - SP3?' }).waitFor();
    await page.getByRole('button', { name: 'Remove from organisation' }).click();
    await page.getByRole('link', { name: 'Select a reason for removing this person' }).waitFor();
    await look(page, 'remove');
  });

  test('he is told, signed out at once, and not in the list any more', async () => {
    const { page } = await walk.visitor('James');
    await page.getByRole('radio', { name: 'Left' }).check();
    await page.getByRole('button', { name: 'Remove from organisation' }).click();
    await page.getByRole('alert').getByText('Mike has been removed from Innovations PLC - SP3').waitFor();
    expect(await page.getByRole('rowheader').getByText('Mike').count()).toBe(0);
    await look(page, 'manage-users-removed');
    expect((await walk.emailsTo('mike.hcc@ola.example'))[0]?.subject).toBe('You have been removed from an organisation in Services Portal');
    const mike = await walk.visitor('Mike');
    await mike.page.goto(walk.app.portal);
    await walk.signIn(mike, 'MIKE122');
    await mike.page.getByText('You do not belong to an organisation').waitFor();
    await look(mike.page, 'tiles-no-organisation');
  });
}
