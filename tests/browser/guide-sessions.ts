import { expect, test } from 'vitest';
import { look } from './looks.ts';
import { siteAddress } from './visitor.ts';
import type { Walk } from './walk.ts';

/** Ollie works for Innovations and for the school, each of which gave him something else. */
export function severalOrganisations(walk: Walk): void {
  test('he sees the tiles of the one he works in, and changes to the other', async () => {
    const ollie = await walk.visitor('Ollie');
    const { page } = ollie;
    await page.goto(walk.app.portal);
    await walk.signIn(ollie, 'OLLIE199');
    const tiles = page.getByRole('main').getByRole('heading', { level: 3 }).getByRole('link');
    await page.getByText('Organisation: Innovations PLC - SP3').waitFor();
    expect(await tiles.allTextContents()).toEqual(['Education Personnel Services – Manual of Personnel Practise']);
    await look(page, 'tiles-two-organisations');
    await page.getByLabel('Organisation', { exact: true }).selectOption('Itchen Meadow Primary School');
    await page.getByRole('button', { name: 'Change organisation' }).click();
    await page.getByText('Organisation: Itchen Meadow Primary School').waitFor();
    expect(await tiles.allTextContents()).toEqual(['Trailblazer']);
  });

  test('a page that only the other one gave him offers to change, and then opens', async () => {
    const { page } = await walk.visitor('Ollie');
    await page.goto(siteAddress(walk.app, 'www3', '/hcc/eps/news.htm'));
    await page.getByRole('heading', { level: 1, name: /^Change organisation to open Manual of Personnel Practice/ }).waitFor();
    await look(page, 'denied-other-organisation');
    await page.getByRole('button', { name: 'Change organisation' }).click();
    await page.getByRole('heading', { level: 1, name: 'Which organisation do you want to work in?' }).waitFor();
    await look(page, 'organisation');
    await page.getByRole('radio', { name: 'Innovations PLC - SP3' }).check();
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.waitForURL(siteAddress(walk.app, 'www3', '/hcc/eps/news.htm'));
    await page.getByText('Signed in as Ollie').waitFor();
    expect(await page.textContent('.who')).toContain('Innovations PLC - SP3');
  });
}

export function signOutEverywhere(walk: Walk): void {
  test('signing out at the portal signs out of every host, and a copied cookie is worth nothing', async () => {
    const addresses = [siteAddress(walk.app, 'www3', '/efs/'), siteAddress(walk.app, 'www3', '/education/hias.htm')];
    const { page } = await walk.visitor('James');
    for (const address of addresses) {
      await page.goto(address);
      await page.getByText('Signed in as James Howell').waitFor();
    }
    const thief = await walk.copyOf('James');
    await thief.page.goto(addresses[0] ?? '');
    await thief.page.getByText('Signed in as James Howell').waitFor();

    await page.goto(walk.app.portal);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('You have signed out.').waitFor();
    await look(page, 'signed-out');
    for (const visitor of [thief.page, page]) {
      for (const address of [...addresses, `${walk.app.portal}/organisations/1/people`, walk.app.portal]) {
        await visitor.goto(address);
        await visitor.getByRole('heading', { level: 1, name: 'Sign in to your Services Portal account' }).waitFor();
      }
    }
  });
}
