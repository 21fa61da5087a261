import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { request as send } from 'undici';
import type { Catalogue } from '#config/catalogue.ts';
import { readSettings, type Settings } from '#config/settings.ts';
import { prepareDemo } from '#gateway/demo.ts';
import type { AppDeps } from '#gateway/deps.ts';
import { type Installation, openInstallation } from '#gateway/installation.ts';
import { type Serving, startServing } from '#gateway/serving.ts';
import { createHashing, type Hashing } from '#gateway/sign-in/hashing.ts';
import { letterheadOf } from '#notify/letter.ts';
import { startWorker, type Worker } from '#notify/worker.ts';
import type { Store } from '#store/database.ts';
import { freePort } from './free-port.ts';
import { copyDatabase, dropDatabase } from './servers.ts';

/** The whole demo, listening on a free loopback port, with a clock that a test can move. Ends with `close()`. */
export type TestApp = {
  app: Serving;
  store: Store;
  installation: Installation;
  catalogue: Catalogue;
  settings: Settings;
  port: number;
  portal: string;
  /** Every line the gateway logged. */
  log(): string;
  clock: { now: number };
  browser(): Browser;
  signIn(userId: string): Promise<Browser>;
  /** Messages of the demo outbox, newest first, after everything due was sent. */
  outbox(): Promise<{ kind: string; to: string; subject: string | null; text: string }[]>;
  close(): Promise<void>;
};

/** What a visitor and a look into the store need of it; the gateway may as well be in a process of its own. */
export type DemoPlace = Pick<TestApp, 'port' | 'portal' | 'store' | 'browser' | 'signIn' | 'outbox'>;

// Each of the demo's few passwords is hashed once in a process: that was a third of the time of a start.
const hashing = createHashing();
const hashes = new Map<string, Promise<string>>();
const remembering: Hashing = { ...hashing, hash: password => hashes.getOrInsertComputed(password, hashing.hash) };

export type TestOptions = { env?: Record<string, string>; change?: (deps: AppDeps) => AppDeps };

/** Both switches as this run has them: nothing set, or a database of its own on the servers that vitest started (both-sides/). */
async function switches(): Promise<Record<string, string>> {
  const { TEST_TEMPLATE_DATABASE: template, TEST_REDIS: redis } = process.env;
  if (!template || !redis) return {};
  const keys = Buffer.alloc(32, 5).toString('base64');
  return { DATABASE_URL: await copyDatabase(template), REDIS_URL: redis, SESSION_KEYS: keys };
}

export async function startApp({ env = {}, change = deps => deps }: TestOptions = {}): Promise<TestApp> {
  const dataDir = mkdtempSync(join(tmpdir(), 'portal-test-'));
  const switched = await switches();
  const settings = readSettings({ PORT: String(await freePort()), DATA_DIR: dataDir, LOG_LEVEL: 'info', ...switched, ...env });
  const lines: string[] = [];
  const clock = { now: Date.now() };
  const now = () => clock.now;
  const demo = await prepareDemo(settings, now);
  const installation = await openInstallation(settings, { kind: 'demo', onError: error => lines.push(String(error)) });
  const { store, feed, keys } = installation;
  const { transports, pages } = await demo.settle(store, remembering);
  const log = new PassThrough().on('data', chunk => lines.push(String(chunk)));
  const { catalogue, directory } = demo;
  let worker: Worker | null = null;
  const deliverSoon = () => void worker?.deliverNow();
  const app = await startServing(change({ settings, catalogue, store, feed, keys, directory, deliverSoon, now, log, ...pages }));
  const { portal } = catalogue;
  const letterhead = () => letterheadOf(catalogue, settings.wording);
  worker = startWorker({ store, transports, letterhead, sealKeys: keys.unseal, now, everyMs: 60_000, log: app.log });
  await app.listen({ port: settings.port, host: '127.0.0.1' });

  const browser = () => createBrowser(settings.port);
  return {
    ...{ app, store, installation, catalogue, settings, clock, browser },
    port: settings.port,
    portal: portal.origin,
    log: () => lines.join(''),
    signIn: userId => signInDemo(browser(), portal.origin, userId),
    async outbox() {
      await worker?.deliverNow();
      return JSON.parse((await browser().get(`${portal.origin}/demo/outbox.json`)).body);
    },
    async close() {
      await app.close();
      await worker?.close();
      await installation.close();
      await demo.close();
      if (switched.DATABASE_URL) await dropDatabase(switched.DATABASE_URL);
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

export type Answer = { status: number; url: string; headers: Record<string, string | string[] | undefined>; body: string };
type Sending = { method?: string; headers?: Record<string, string>; body?: string | Buffer; follow?: boolean };

/** What a browser does between pages: a cookie jar per host, redirects, forms with the hidden fields of their page. */
export type Browser = {
  get(url: string, options?: Sending): Promise<Answer>;
  /** Sends a form; hidden fields come from `page`, the page it stands on. */
  submit(url: string, page: Answer | null, fields: Record<string, string | string[]>, options?: Sending): Promise<Answer>;
  cookies: Map<string, Map<string, string>>;
};

export function createBrowser(port: number): Browser {
  const cookies: Browser['cookies'] = new Map();

  async function ask(url: string, options: Sending): Promise<Answer> {
    const { host, hostname, pathname, search } = new URL(url);
    const jar = cookies.get(hostname) ?? new Map<string, string>();
    cookies.set(hostname, jar);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    // Node does not resolve *.localhost: connect to the loopback address and say the host.
    const answer = await send(`http://127.0.0.1:${port}${pathname}${search}`, {
      method: (options.method ?? 'GET') as 'GET',
      headers: { host, accept: 'text/html', ...(cookie ? { cookie } : {}), ...options.headers },
      body: options.body ?? null,
    });
    for (const set of [answer.headers['set-cookie'] ?? []].flat()) keep(jar, set);
    return { status: answer.statusCode, url, headers: answer.headers, body: await answer.body.text() };
  }

  async function get(url: string, options: Sending = {}): Promise<Answer> {
    let answer = await ask(url, options);
    for (let hops = 0; options.follow !== false && answer.headers.location && hops < 10; hops++) {
      const next = new URL(String(answer.headers.location), answer.url).href;
      answer = await ask(next, { ...options, method: 'GET', body: '' });
    }
    return answer;
  }

  return {
    get,
    cookies,
    submit(url, page, fields, options = {}) {
      const form = new URLSearchParams(page ? hiddenFields(page.body) : []);
      for (const [name, value] of Object.entries(fields)) {
        form.delete(name);
        for (const one of [value].flat()) form.append(name, one);
      }
      const headers = { 'content-type': 'application/x-www-form-urlencoded', ...options.headers };
      return get(url, { ...options, method: 'POST', headers, body: form.toString() });
    },
  };
}

function keep(jar: Map<string, string>, set: string): void {
  const [pair = '', ...attributes] = set.split(';');
  const name = pair.slice(0, pair.indexOf('=')).trim();
  if (attributes.some(attribute => /^\s*max-age=0$/i.test(attribute))) jar.delete(name);
  else jar.set(name, pair.slice(pair.indexOf('=') + 1));
}

/** The hidden fields of a page's first form that has a `_csrf` field inside <main>; the frame's own forms come before it. */
function hiddenFields(html: string): [string, string][] {
  const main = html.slice(Math.max(0, html.indexOf('<main')));
  const form = /<form[\s\S]*?<\/form>/.exec(main)?.[0] ?? html;
  const inputs = form.match(/<input[^>]*type="hidden"[^>]*>/g) ?? [];
  const attribute = (input: string, name: string) => new RegExp(`${name}="([^"]*)"`).exec(input)?.[1] ?? '';
  return inputs.map(input => [attribute(input, 'name'), attribute(input, 'value').replaceAll('&amp;', '&').replaceAll('&#39;', "'")]);
}

/** Signs one of the demo's people in through the form, and sees that they are. */
export async function signInDemo(browser: Browser, portal: string, userId: string): Promise<Browser> {
  const { demoPeople } = await import('#config/demo/people.ts');
  const person = demoPeople.find(one => one.userId === userId);
  if (!person) throw new Error(`the demo has nobody called ${userId}`);
  const page = await browser.get(`${portal}/sign-in`);
  const answer = await browser.submit(`${portal}/sign-in`, page, { user_id: userId, password: person.password });
  if (answer.status !== 200 || !answer.body.includes('Hello ')) throw new Error(`${userId} could not sign in: ${answer.status}`);
  return browser;
}
