import type { ChildProcess } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { councilCatalogue } from '#config/demo/catalogue.ts';
import { grant } from '#store/rules.ts';
import { type Browser, createBrowser } from './app.ts';
import {
  alice,
  type Env,
  emptyPlace,
  linksIn,
  type Place,
  portal,
  productionCatalogue,
  root,
  withStore,
  writePeople,
} from './command-line-steps.ts';
import { freePort } from './free-port.ts';
import { startGateway, stopGateway } from './gateway-process.ts';

/** A real installation in a process of its own, behind which one server stands for every legacy server, and somebody who is signed in. */
export type Installed = {
  gateway: ChildProcess;
  port: number;
  /** A site, and what Alice's browser would send there; she may use every service of it but `refused`. */
  host: string;
  cookie: string;
  /** What it would send to the portal. */
  portalCookie: string;
  close(): Promise<void>;
};

export const refused = 'efs';
const origin = 'https://portal.hants.gov.uk';
const site = 'www3.hants.gov.uk';
const password = 'correct horse battery staple';
/** What the proxy in front would say. */
export const httpsHeaders = [['X-Forwarded-Proto', 'https']] as const;

export async function startInstalled(legacy: string, env: Env = {}): Promise<Installed> {
  const place = emptyPlace();
  const port = await freePort();
  const link = await furnish(place, legacy);
  const gateway = await startGateway({ ...place.env, PORT: String(port), LOG_LEVEL: 'error', ...env });
  return {
    ...{ gateway, port, host: site },
    ...(await signIn(createBrowser(port), link)),
    async close() {
      await stopGateway(gateway, 'SIGKILL');
      rmSync(place.dir, { recursive: true, force: true });
    },
  };
}

/** Alice and her school, with every service but one. Returns the link by which she chooses her password. */
async function furnish(place: Place, legacy: string): Promise<string> {
  const catalogue = join(place.dir, 'services.yaml');
  const text = readFileSync(join(root, productionCatalogue), 'utf8');
  writeFileSync(catalogue, text.replace(/(upstream: )http:\S+/g, `$1${legacy}`));
  place.env.CATALOGUE = catalogue;
  const { out } = await portal(place.env, ['import', writePeople(place.dir, [alice]), '--apply']);
  for (const { id: service } of councilCatalogue().services) {
    if (service === refused) continue;
    await portal(place.env, ['subscribe', 'S1', service]);
    const rights = { organisation: 1, person: 1, service, endsAt: null, by: null, now: Date.now() };
    await withStore(place, store => store.change(tx => grant(tx, rights)));
  }
  return linksIn(out)[0]!;
}

async function signIn(browser: Browser, link: string): Promise<{ cookie: string; portalCookie: string }> {
  const headers = Object.fromEntries(httpsHeaders);
  const choose = await browser.get(link, { headers });
  await browser.submit(`${origin}/set-password`, choose, { password }, { headers });
  const form = await browser.get(`${origin}/sign-in`, { headers });
  await browser.submit(`${origin}/sign-in`, form, { user_id: alice.email!, password }, { headers });
  const page = await browser.get(`https://${site}/trailblazer/`, { headers });
  if (page.status !== 200) throw new Error(`Alice cannot open a page: ${page.status} ${page.url}`);
  const of = (host: string) => [...(browser.cookies.get(host) ?? [])].map(pair => pair.join('=')).join('; ');
  return { cookie: of(site), portalCookie: of(new URL(origin).host) };
}
