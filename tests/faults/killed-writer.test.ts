import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifyChain } from '#store/activity.ts';
import { openStore } from '#store/database.ts';
import { type Browser, createBrowser } from '#tests/app.ts';
import { freePort } from '#tests/free-port.ts';
import { startGateway, stopGateway } from '#tests/gateway-process.ts';
import { long } from '#tests/long.ts';
import { type Postgres, startPostgres } from '#tests/servers.ts';
import { accessOf, expectWholeOrNothing, type Look, lookIntoFile, lookIntoServer, sendTicks, ticksOf } from './saved-rounds.ts';

// An administrator saves a colleague's ticks again and again, and each time something is cut off that may be writing them.
const LONGEST_MS = 40;
const ADMINISTRATOR = { user_id: 'JHOWEL12', password: 'lantern-harbour-12' };

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.stop());

type Scene = { gateway: ChildProcess; look: Look; startAgain(): Promise<void> };
type Blow = {
  what: string;
  where: 'SQLite' | 'PostgreSQL';
  rounds: number;
  quick: boolean;
  faults: string;
  strike(scene: Scene): Promise<void>;
};

const kill = async (scene: Scene) => {
  await stopGateway(scene.gateway, 'SIGKILL');
  await scene.startAgain();
};
const blows: Blow[] = [
  { what: 'the gateway is killed', where: 'SQLite', rounds: long ? 200 : 50, quick: true, faults: '[fault 1]', strike: kill },
  { what: 'the gateway is killed', where: 'PostgreSQL', rounds: 200, quick: false, faults: '[fault 1]', strike: kill },
  {
    what: 'the server cuts off every connection',
    where: 'PostgreSQL',
    rounds: long ? 200 : 30,
    quick: true,
    faults: '[fault 8]',
    async strike({ look }) {
      await look('select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()');
    },
  },
  {
    what: 'the server crashes and comes back',
    where: 'PostgreSQL',
    rounds: 40,
    quick: false,
    faults: '[fault 8]',
    async strike() {
      await postgres.crash();
      await postgres.resume();
    },
  },
];

// What needs minutes, and many rounds to meet both outcomes, is for the long form.
describe.each(blows.filter(({ quick }) => long || quick))(
  'while it is written to $where $what',
  ({ what, where, rounds, faults, strike }) => {
    let dir = '';
    let port = 0;
    let url = '';
    let scene: Scene;
    let james: Browser;
    let ken = 0;
    const portal = () => `http://portal.hants.localhost:${port}`;
    const database = () => join(dir, 'data', 'portal.sqlite');

    beforeAll(async () => {
      dir = mkdtempSync(join(tmpdir(), 'portal-killed-'));
      port = await freePort();
      if (where === 'PostgreSQL') url = await postgres.freshDatabase();
      const look = url ? lookIntoServer(url) : lookIntoFile(database());
      const keys = url ? { DATABASE_URL: url, SESSION_KEYS: Buffer.alloc(32, 1).toString('base64') } : {};
      const env = { PORT: String(port), DATA_DIR: join(dir, 'data'), ...keys };
      const startAgain = async () => {
        scene.gateway = await startGateway(env);
      };
      // At an orderly end Node keeps what it has compiled, which saves half of every start that follows a kill.
      await stopGateway(await startGateway(env));
      scene = { gateway: await startGateway(env), look, startAgain };
      ken = Number((await look("select person_id from identities where subject = 'KEN144'"))[0]?.person_id);
      james = await signIn();
    });
    afterAll(async () => {
      await stopGateway(scene.gateway);
      rmSync(dir, { recursive: true, force: true });
    });

    async function signIn(): Promise<Browser> {
      const browser = createBrowser(port);
      const send = async (path: string, fields: Record<string, string>) =>
        browser.submit(portal() + path, await browser.get(portal() + path), fields);
      await send('/sign-in', ADMINISTRATOR);
      await send('/security-phone', { phone: '07700 900982' });
      let code: string | undefined;
      while (code === undefined) code = /\b\d{6}\b/.exec((await browser.get(`${portal()}/demo/outbox.json`)).body)?.[0];
      await send('/security-code', { code });
      return browser;
    }

    /** The page of Ken's rights, once whoever was cut off is connected again. */
    async function kensPage() {
      const page = `${portal()}/organisations/1/people/${ken}`;
      await expect.poll(async () => (await james.get(page)).status, { timeout: 60_000 }).toBe(200);
      return { port, url: page, html: (await james.get(page)).body };
    }

    test(`a change, its activity and its message are all there or none; an answered one is there ${faults}`, {
      timeout: 60_000 + rounds * 10_000,
    }, async ({ annotate }) => {
      const seen = { made: 0, lost: 0, answered: 0 };
      // Half the rounds go through 0 to 40 ms evenly, the others look for the moment between too early and too late.
      let seam = LONGEST_MS / 4;
      let before = await accessOf(scene.look, ken);
      for (let round = 0; round < rounds; round++) {
        const evenly = round % 2 === 0;
        const ticks = ticksOf(round);
        const answering = sendTicks(james, await kensPage(), ticks);
        await wait(evenly ? (round * LONGEST_MS) / (rounds - 2) : seam);
        await strike(scene);
        const answer = await answering;
        const made = await expectWholeOrNothing(scene.look, ken, ticks, before);
        // Nobody is told that a change was saved that is not there; who is told of a failure is told to try again.
        if (!made) expect(['', 'HTTP/1.1 503 Service Unavailable']).toContain(answer);
        if (!evenly) seam *= made ? 0.8 : 1.25;
        before = await accessOf(scene.look, ken);
        seen[made ? 'made' : 'lost'] += 1;
        if (answer.startsWith('HTTP/1.1 303')) seen.answered += 1;
      }
      const said = `${where}, ${what}: ${rounds} times, ${seen.made} changes made, ${seen.answered} of them answered, ${seen.lost} lost whole`;
      console.log(said);
      await annotate(said, 'seen');
      for (const [outcome, times] of Object.entries(seen)) expect([outcome, times > 0]).toEqual([outcome, true]);
    });

    test('what is left is a whole database with an unbroken chain of activity', async () => {
      if (where === 'SQLite') expect(await scene.look('pragma integrity_check')).toEqual([{ integrity_check: 'ok' }]);
      const store = await openStore(url ? { url } : { file: database() });
      expect((await verifyChain(store.db)).broken).toBeNull();
      await store.close();
    });
  },
);
