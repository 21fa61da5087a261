import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'undici';
import { expect } from 'vitest';
import { openStore } from '#store/database.ts';
import { createBrowser, type DemoPlace, signInDemo } from './app.ts';
import { freePort } from './free-port.ts';
import { startGateway, stopGateway } from './gateway-process.ts';

/** One process of a fleet, asked over a connection that stays open. */
export type Member = { port: number; gateway: ChildProcess; ask(path: string, headers: Record<string, string>): Promise<number> };
/** The demo in several processes on one database, as a county runs its gateways, or in one on SQLite. Visitors come in by the first. */
export type Fleet = DemoPlace & { members: Member[]; stop(): Promise<void> };

/** Starts it; the settings are those of every process, and `own` are one's own. */
export async function startFleet(
  size: number,
  settings: { DATABASE_URL?: string; DATA_DIR?: string } & Record<string, string>,
  own: (index: number) => Record<string, string> = () => ({}),
): Promise<Fleet> {
  const dir = mkdtempSync(join(tmpdir(), 'portal-fleet-'));
  const keys = { SESSION_KEYS: Buffer.alloc(32, 1).toString('base64') };
  const dataDir = settings.DATA_DIR ?? join(dir, 'data');
  const gateways: ChildProcess[] = [];
  const ports: number[] = [];
  for (let started = 0; started < size; started += 1) {
    const port = await freePort();
    gateways.push(
      await startGateway({ ...keys, DATA_DIR: dataDir, PORT: String(port), LOG_LEVEL: 'silent', ...settings, ...own(started) }),
    );
    ports.push(port);
  }
  const port = ports[0]!;
  const portal = `http://portal.hants.localhost:${port}`;
  const store = await openStore(settings.DATABASE_URL ? { url: settings.DATABASE_URL } : { file: join(dataDir, 'portal.sqlite') });
  const clients = ports.map(one => new Client(`http://127.0.0.1:${one}`));
  const unsent = () => store.db.selectFrom('outbox').select('id').where('status', 'in', ['waiting', 'sending']).execute();
  const browser = () => createBrowser(port);
  return {
    ...{ port, portal, store, browser },
    members: clients.map((client, index) => ({
      port: ports[index]!,
      gateway: gateways[index]!,
      ask: (path, headers) => statusOf(client, path, headers),
    })),
    signIn: userId => signInDemo(browser(), portal, userId),
    async outbox() {
      await expect.poll(unsent, { timeout: 60_000 }).toEqual([]);
      return JSON.parse((await browser().get(`${portal}/demo/outbox.json`)).body);
    },
    async stop() {
      await Promise.all(clients.map(client => client.destroy()));
      await store.close();
      await Promise.all(gateways.map(gateway => stopGateway(gateway)));
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function statusOf(client: Client, path: string, headers: Record<string, string>): Promise<number> {
  const answer = await client.request({ method: 'GET', path, headers: { accept: 'text/html', ...headers } });
  await answer.body.dump();
  return answer.statusCode;
}
