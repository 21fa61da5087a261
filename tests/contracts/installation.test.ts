import { mkdirSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSettings } from '#config/settings.ts';
import { InstallationFault, openFor, openInstallation } from '#gateway/installation.ts';
import { append } from '#store/activity.ts';
import { type Change, openStore } from '#store/database.ts';
import { OpeningFault } from '#store/opening-fault.ts';
import { emptyPlace, portal } from '#tests/command-line-steps.ts';
import { freePort } from '#tests/free-port.ts';
import { type Postgres, startPostgres } from '#tests/servers.ts';

let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.stop());

/** An address with a password in both of the places where one may stand. */
function withPasswords(url: string): string {
  const address = new URL(url);
  address.password ||= 'a-password-to-hide';
  address.searchParams.set('application_name', 'another-to-hide');
  return address.href;
}

describe.each(['SQLite', 'PostgreSQL'])('data of the other kind of installation on %s', kind => {
  test('are refused in one sentence that names their place and no password', async () => {
    const url = kind === 'PostgreSQL' ? withPasswords(await postgres.freshDatabase()) : undefined;
    const place = emptyPlace(url);
    const settings = readSettings(place.env);
    mkdirSync(settings.dataDir);
    const began = await openFor(settings, 'demo');
    await began.close();
    const { host, pathname } = new URL(url ?? 'file:///');
    const [where, advice] = url
      ? [`the database ${host}${pathname}`, 'DATABASE_URL to another database']
      : [settings.dataDir, 'DATA_DIR to another folder'];
    const sentence = `The data in ${where} belongs to the demo and cannot be used for a real installation: set ${advice}.`;
    await expect(openFor(settings, 'real')).rejects.toThrow(new InstallationFault(sentence));
    for (const command of [['subscribe', 'S1', 'efs'], ['check']]) expect((await portal(place.env, command)).err).toBe(sentence);
    expect(sentence).not.toMatch(/to-hide/);
    rmSync(place.dir, { recursive: true });
  });
});

test('a PostgreSQL that cannot be had says why in one sentence, without the password', async () => {
  const there = new URL(withPasswords(await postgres.freshDatabase()));
  const wrong = {
    'database "nowhere" does not exist': Object.assign(new URL(there), { pathname: '/nowhere' }),
    'role "nobody" does not exist': Object.assign(new URL(there), { username: 'nobody' }),
    ECONNREFUSED: Object.assign(new URL(there), { port: String(await freePort()) }),
  };
  for (const [why, url] of Object.entries(wrong)) {
    const fault = await openStore({ url: url.href }).catch((error: Error) => error);
    expect(fault).toBeInstanceOf(OpeningFault);
    expect(fault).toMatchObject({
      message: expect.stringMatching(
        new RegExp(`^(?:PostgreSQL refuses|The database cannot be reached) \\(${why}\\): check DATABASE_URL.*\\.$`),
      ),
    });
    expect(String(fault)).not.toMatch(/to-hide/);
  }
});

test('a gateway hears of what it has changed itself, once that is committed, and of nothing that came to nothing', async () => {
  const place = emptyPlace();
  const heard: object[] = [];
  const installation = await openInstallation(readSettings(place.env), { kind: 'real', onError() {}, onEntry: entry => heard.push(entry) });
  const { store } = installation;
  const add = (name: string) => (tx: Change) =>
    append(tx, { at: 5, kind: 'organisation-added', data: { code: name }, text: { organisation: 'First School' } }).then(
      () => heard.length,
    );
  expect(await store.change(add('S1'))).toBe(0);
  await store
    .change(async tx => {
      await add('S2')(tx);
      throw new Error('never mind');
    })
    .catch(() => {});
  await portal(place.env, ['council', 'add', 'olga@hants.gov.uk']);
  await installation.feed.catchUp();
  await installation.close();
  rmSync(place.dir, { recursive: true });
  expect(heard).toEqual([expect.objectContaining({ id: 1, kind: 'organisation-added', data: { code: 'S1' } })]);
  expect(JSON.stringify(heard)).not.toContain('First School');
});
