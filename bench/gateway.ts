import { demoCatalogue } from '#config/demo/catalogue.ts';
import { startApp } from '#tests/app.ts';

/** The whole gateway on its own SQLite file, with the pages of the demo's sites on the bench's upstream, and somebody signed in. */
const [upstream = ''] = process.argv.slice(2);
const user = 'WENDY166';
const service = 'trailblazer';

const gateway = await startApp({
  change: deps => ({ ...deps, catalogue: demoCatalogue(deps.settings.port, () => upstream), now: Date.now }),
});
const start = gateway.catalogue.services.find(({ id }) => id === service)!.start;
const { host, hostname, pathname } = new URL(start);

// The form, the hand-off to the site's own host and the page itself, as a browser does it: afterwards its cookie is the site's.
const browser = await gateway.signIn(user);
await browser.get(start);
const cookie = [...(browser.cookies.get(hostname) ?? [])].map(pair => pair.join('=')).join('; ');

process.send?.({ port: gateway.port, host, path: pathname, cookie, user, service });
process.once('disconnect', async () => {
  await gateway.close();
  process.exit(0);
});
// Ctrl+C reaches the whole group; the data folder is removed when the runner has gone.
process.on('SIGINT', () => {});
