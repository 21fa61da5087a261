import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { Browser, BrowserContext, Page, WebSocket } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import {
  alice,
  emptyPlace,
  linksIn,
  type PersonCells,
  type Place,
  productionCatalogue,
  root,
  run,
  writePeople,
} from '#tests/command-line-steps.ts';
import { freePort } from '#tests/free-port.ts';
import { startGateway, stopGateway } from '#tests/gateway-process.ts';
import { type Application, startDokuWiki, startNotebook } from './legacy-applications.ts';
import { startTlsFront, type TlsFront } from './tls-front.ts';
import { launchChromium, openVisitor, signInHere, type Visitor } from './visitor.ts';

// Two applications that are not ours, behind a gateway that is not the demo, as the README tells a council to do it. Each test is one step.
const portal = 'https://portal.hants.gov.uk';
const wiki = 'https://wiki.hants.gov.uk';
const notebook = 'https://notebook.hants.gov.uk';
const password = 'correct horse battery staple';
const patient = { timeout: 30_000 };
const zoe: PersonCells = { source_id: '2', first_name: 'Zoë', last_name: 'Writer', email: 'zoe@first.example' };

type Opened = { page: Page; socket: WebSocket; received: string };

let place: Place;
let applications: { wiki: Application; notebook: Application };
let gateway: ChildProcess | null = null;
let front: TlsFront;
let browser: Browser;
let invitation = '';
let administrator: Visitor;
let writer: Visitor;
let opened: Opened;
let stopped = false;

// Whom the provider of text messages would have sent the code to: the one part that cannot be had.
let newestText = '';
const textProvider: Server = createServer(async (request, response) => {
  newestText = new URLSearchParams(await text(request)).get('Body') ?? '';
  response.writeHead(201, { 'content-type': 'application/json' }).end('{"sid":"SM1","status":"queued"}');
});

beforeAll(async () => {
  place = emptyPlace();
  const port = await freePort();
  await once(textProvider.listen(0, '127.0.0.1'), 'listening');
  const [ofWiki, ofNotebook] = await Promise.all([startDokuWiki(), startNotebook(new URL(notebook).hostname)]);
  applications = { wiki: ofWiki, notebook: ofNotebook };
  front = await startTlsFront(port);
  browser = await launchChromium([`--host-resolver-rules=MAP *.hants.gov.uk:443 127.0.0.1:${front.port}`]);
  const texts = `http://127.0.0.1:${(textProvider.address() as AddressInfo).port}`;
  const twilio = { TWILIO_ACCOUNT_SID: 'AC0', TWILIO_AUTH_TOKEN: 'token', TWILIO_FROM: 'Portal', TWILIO_BASE_URL: texts };
  place.env = { ...place.env, ...twilio, PORT: String(port), CATALOGUE: writeCatalogue() };
});
afterAll(async () => {
  await browser?.close();
  if (gateway) await stopGateway(gateway);
  await Promise.all([front?.stop(), applications?.wiki.stop(), applications?.notebook.stop(), textProvider.close()]);
  rmSync(place.dir, { recursive: true, force: true });
});
beforeEach(({ skip }) => {
  if (stopped) skip('an earlier step failed');
});
afterEach(({ task }) => {
  if (task.result?.state === 'fail') stopped = true;
});

/** The README's lines, where the applications listen today, with the letterhead of the catalogue that comes with the product. */
function writeCatalogue(): string {
  const section = readFileSync(`${root}/README.md`, 'utf8').split('\n## Put a legacy page behind the portal\n')[1] ?? '';
  const lines = (/```yaml\n([\s\S]*?)```/.exec(section)?.[1] ?? '')
    .replace('http://127.0.0.1:8081', applications.wiki.origin)
    .replace('http://127.0.0.1:8082', applications.notebook.origin);
  const { portal, brand } = parse(readFileSync(`${root}/${productionCatalogue}`, 'utf8'));
  const file = `${place.dir}/services.yaml`;
  writeFileSync(file, stringify({ portal, brand }) + lines);
  return file;
}

const command = async (...args: string[]): Promise<string> => {
  const { code, out, err } = await run(place.env, 'gateway/command-line.ts', args);
  expect([code, err], args.join(' ')).toEqual([0, '']);
  return out;
};
const heading = (page: Page, name: string | RegExp) => page.getByRole('heading', { level: 1, name }).waitFor();

/** Somebody who chooses a password by their link and signs in: the only time they are asked who they are. */
async function arrive(link: string, email: string): Promise<Visitor> {
  // The certificate is nobody's, and a busy machine takes its time over other people's scripts and styles.
  const visitor = await openVisitor(browser, { ignoreHTTPSErrors: true });
  const { page, context } = visitor;
  context.setDefaultTimeout(patient.timeout);
  await page.goto(link);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Save password' }).click();
  await heading(page, 'Sign in to your Services Portal account');
  await signInHere(visitor, email, password);
  await heading(page, 'Your Services Portal account');
  return visitor;
}

/** The boxes of what Zoë may open. */
async function manageAccess(): Promise<Page> {
  const { page } = administrator;
  await page.goto(portal);
  await page.getByRole('main').getByRole('link', { name: 'Organisation Admin' }).click();
  await page.getByRole('main').getByRole('link', { name: 'Manage users', exact: true }).click();
  await page.getByRole('rowheader').getByRole('link', { name: 'Zoë' }).click();
  await heading(page, 'Manage user access');
  return page;
}

/** The window a notebook opens in, with its WebSocket and all that has come over it. */
const openedNotebook = (context: BrowserContext): Promise<Opened> =>
  new Promise(resolve => {
    context.once('page', page =>
      page.once('websocket', socket => {
        const found = { page, socket, received: '' };
        socket.on('framereceived', ({ payload }) => {
          found.received += String(payload);
        });
        resolve(found);
      }),
    );
  });

test('the catalogue is right, the people are imported, and the school gets both services', async () => {
  const people = writePeople(place.dir, [alice, zoe]);
  expect(await command('check')).toContain('Settings: right.');
  [invitation = ''] = linksIn(await command('import', people, '--apply'));
  for (const service of ['wiki', 'notebook']) await command('subscribe', 'S1', service);
});

test('the gateway starts, and the administrator chooses a password and signs in', async () => {
  gateway = await startGateway(place.env);
  administrator = await arrive(invitation, 'alice@first.example');
});

test('the administrator ticks both for Zoë', async () => {
  const { page } = administrator;
  await page.getByRole('main').getByRole('link', { name: 'Organisation Admin' }).click();
  await page.getByLabel('Mobile phone number').fill('07700 900 982');
  await page.getByRole('button', { name: 'Continue' }).click();
  await heading(page, 'Confirm code');
  await expect.poll(() => newestText, patient).toMatch(/^\d{6} is your/);
  await page.getByLabel('Code').fill(newestText.slice(0, 6));
  await page.getByRole('button', { name: 'Continue' }).click();
  await heading(page, 'Organisation administration hub');
  await manageAccess();
  for (const name of ['Wiki', 'Notebook']) await page.getByRole('checkbox', { name }).check();
  await page.getByRole('button', { name: 'Save changes' }).click();
  await page.getByRole('alert').getByText('Access updated for Zoë').waitFor();
});

test('Zoë signs in once and sees both tiles; the wiki knows her', async () => {
  const [link = ''] = linksIn(await command('link', 'zoe@first.example'));
  writer = await arrive(link, 'zoe@first.example');
  const { page, context } = writer;
  const tiles = page.getByRole('main').getByRole('heading', { level: 3 }).getByRole('link');
  expect(await tiles.allTextContents()).toEqual(['Notebook', 'Wiki']);
  // What an add-on of her browser can say of her is believed by nobody.
  await context.setExtraHTTPHeaders({ 'Remote-User': 'alice@first.example', Remote_User: 'alice@first.example' });
  await tiles.getByText('Wiki').click();
  await page.getByText('Written together by schools.').waitFor();
  expect(page.url()).toMatch(wiki);
  expect(await page.locator('.user').textContent()).toBe('Logged in as: Zoë Writer (zoe@first.example)');
  await context.setExtraHTTPHeaders({});
});

test('she writes a page whose name is not ASCII: forms, its cookies, and a redirect to what was saved', async () => {
  const { page } = writer;
  await page.goto(`${wiki}/doku.php/trips:café?do=edit`);
  await page.getByRole('textbox', { name: 'Edit summary' }).fill('first words');
  await page.locator('#wiki__text').fill('====== Trip to the café ======\n\nBring **boots**; and 100% of the forms.\n');
  await page.getByRole('button', { name: 'Preview' }).click();
  await page.locator('.preview strong', { hasText: 'boots' }).waitFor();
  await page.getByRole('button', { name: 'Save' }).click();
  await heading(page, 'Trip to the café');
  expect(new URL(page.url()).pathname).toBe('/doku.php/trips:caf%C3%A9');
  await page.goto(`${wiki}/doku.php/trips:café?do=revisions`);
  expect(await page.locator('#page__revisions li').first().textContent()).toMatch(/first words.*zoe@first\.example/s);
});

test('she uploads a picture, and sees it in the page', async () => {
  const { page } = writer;
  await page.goto(`${wiki}/doku.php/trips:café?do=media&ns=trips&tab_files=upload`);
  await page.locator('#mediamanager__uploader input[type=file]').setInputFiles('config/demo/screenshots/tiles.png');
  await page.locator('#mediamanager__upload_button').click();
  await page.locator('.qq-upload-success').waitFor();
  await page.goto(`${wiki}/doku.php/trips:café?do=edit`);
  await page.locator('#wiki__text').fill('====== With a picture ======\n\n{{trips:tiles.png?300}}\n');
  await page.getByRole('button', { name: 'Save' }).click();
  const picture = page.locator('#dokuwiki__content .page img');
  await expect.poll(() => picture.evaluate((image: HTMLImageElement) => image.naturalWidth), patient).toBeGreaterThan(100);
  if (process.env.SCREENSHOTS) await page.screenshot({ path: 'screenshots/wiki.png' });
});

test('she opens a notebook: the command she types and what it answers go over a WebSocket', async () => {
  const { page, context } = writer;
  await page.goto(portal);
  await page.getByRole('main').getByRole('link', { name: 'Notebook' }).click();
  await page.getByRole('button', { name: 'New' }).click();
  const opening = openedNotebook(context);
  await page.getByRole('menuitem', { name: 'python3' }).click();
  opened = await opening;
  await opened.page.locator('.CodeMirror').first().click();
  await opened.page.keyboard.type('!echo $((6 * 7)) answers');
  await opened.page.keyboard.press('Shift+Enter');
  await opened.page.locator('.output_text').getByText('42 answers').waitFor();
  expect(opened.received).toContain('42 answers');
  expect(opened.socket.url()).toMatch(/^wss:\/\/notebook\.hants\.gov\.uk\/api\/kernels\/[\w-]+\/channels\?/);
  if (process.env.SCREENSHOTS) await opened.page.screenshot({ path: 'screenshots/notebook.png' });
  expect(writer.complaints).toEqual([]);
});

test('the administrator takes the notebook away: its WebSocket is closed at once and stays closed, the wiki goes on', async () => {
  const page = await manageAccess();
  expect(opened.socket.isClosed()).toBe(false);
  await page.getByRole('checkbox', { name: 'Notebook' }).uncheck();
  await page.getByRole('button', { name: 'Save changes' }).click();
  await page.getByRole('alert').getByText('Access updated for Zoë').waitFor();
  await expect.poll(() => opened.socket.isClosed(), { timeout: 10_000 }).toBe(true);
  expect(await opened.page.evaluate(async () => (await fetch('/api/sessions')).status)).toBe(403);
  await opened.page.reload();
  await heading(opened.page, /Schools Notebook/);
  await writer.page.goto(`${wiki}/doku.php/trips:café`);
  await heading(writer.page, 'With a picture');
});
