import { expect, test } from 'vitest';
import { look, lookAtLegacy } from './looks.ts';
import { siteAddress } from './visitor.ts';
import type { Walk } from './walk.ts';

/** The guide's last chapter, at the places where each question arises; and the pages for when something is not right. */
export function frequentlyAsked(walk: Walk): void {
  test('every question of the guide has its answer under Help, which every page leads to', async () => {
    const { page } = await walk.visitor('A guest');
    await page.goto(`${walk.app.portal}/sign-in`);
    await page.getByRole('link', { name: 'What to do when you cannot sign in' }).click();
    expect(page.url()).toMatch(/\/help#cannot-sign-in$/);
    const questions = (await page.getByRole('main').getByRole('heading', { level: 2 }).allTextContents()).join('\n');
    for (const question of [
      'What is an Education Account?',
      'When do we use EAMW and when do we use the Services Portal?',
      'My organisation has subscribed to some services which are not shown',
      'What if I cannot find school staff in the list?',
      'Where should I create school users?',
      'I cannot sign in to one of the services listed. What should I do?',
      'I have forgotten my password. What should I do?',
    ])
      expect(questions).toContain(question);
    await look(page, 'help');
  });

  test('A school user has forgotten their password: the EAMW Admin at the school resets it', async () => {
    const { page } = await walk.visitor('A guest');
    await page.goto(`${walk.app.portal}/sign-in`);
    await page.getByRole('link', { name: 'Forgot password?' }).click();
    await look(page, 'forgot-password');
    await page.getByRole('radio', { name: 'With an Education account user ID' }).check();
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByText('Ask the EAMW Admin at your school').waitFor();
    await look(page, 'forgot-education');
    for (const other of ['council', 'email']) {
      await page.goto(`${walk.app.portal}/forgot-password/${other}`);
      await page.getByRole('heading', { level: 1, name: /password/ }).waitFor();
      await look(page, `forgot-${other}`);
    }
    await page.getByLabel('Email address').fill('nobody@innovations.example');
    await page.getByRole('button', { name: 'Send the link' }).click();
    await page.getByRole('heading', { level: 1, name: 'Check your email' }).waitFor();
    await look(page, 'forgot-sent');
    await page.getByRole('link', { name: 'Register' }).click();
    await page.getByText('You cannot register yourself').waitFor();
    await look(page, 'register-yourself');
  });

  test('What if I can’t find school staff: they only show if they have been set up by your usual method', async () => {
    const { page } = await walk.visitor('James');
    await page.goto(`${walk.app.portal}/organisations/1/people?q=jsmith`);
    await page.getByText('No one matches ‘jsmith’').waitFor();
    await page.getByText('Staff will only show if they have been set up by your usual method').waitFor();
    await look(page, 'manage-users-none');
  });

  test('pages that are not for somebody, or not there, look like the rest', async () => {
    const { page } = await walk.visitor('Ken');
    expect((await page.goto(`${walk.app.portal}/organisations/1`))?.status()).toBe(403);
    await page.getByRole('heading', { level: 1, name: 'You are not an Organisation Administrator' }).waitFor();
    await look(page, 'not-administrator');
    await page.getByRole('link', { name: 'Go to your services' }).click();
    await page.getByText('Hello Ken').waitFor();
    expect((await page.goto(`${walk.app.portal}/nowhere`))?.status()).toBe(404);
    await page.getByRole('heading', { level: 1, name: 'Page not found' }).waitFor();
    await look(page, 'not-found');
    expect((await page.goto(siteAddress(walk.app, 'www3', '/efs/%2e%2e/x%00')))?.status()).toBe(400);
    await look(page, 'odd-address');
    await page.goto(siteAddress(walk.app, 'www3', '/education/hias/moodle'));
    await page.getByText('This Moodle has a sign-in of its own').waitFor();
    await lookAtLegacy(page, 'legacy-moodle');
  });
}
