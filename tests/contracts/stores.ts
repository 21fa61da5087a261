import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe } from 'vitest';
import { openStore, type Place, type Store, type StoreOptions } from '#store/database.ts';
import { addIdentity } from '#store/identities.ts';
import { addMembership } from '#store/memberships.ts';
import { addOrganisation } from '#store/organisations.ts';
import { addPerson } from '#store/people.ts';
import { startSession } from '#store/sessions.ts';
import { copyDatabase, type Postgres, startPostgres } from '#tests/servers.ts';

export const start = Date.UTC(2019, 2, 4, 9);
export const key = Buffer.alloc(32, 7);

export type House = {
  /** The store of this test: opened empty before it, closed after it. */
  store: Store;
  /** A further store on the same file or database, as another process would have it. */
  another(options?: StoreOptions): Promise<Store>;
  /** A store of its own, as empty as this test's was. */
  elsewhere(): Promise<Store>;
};

/** Tables are made once and then copied, which takes a tenth of the time. */
const makeTables = async (place: Place) => (await openStore(place)).close();

type Ground = { begin(): Promise<void>; freshPlace(): Promise<Place>; end(): Promise<void> };

function sqliteGround(): Ground {
  let dir = '';
  let files = 0;
  return {
    async begin() {
      dir = mkdtempSync(join(tmpdir(), 'portal-store-'));
      await makeTables({ file: join(dir, 'template.sqlite') });
    },
    async freshPlace() {
      files += 1;
      const file = join(dir, `${files}.sqlite`);
      copyFileSync(join(dir, 'template.sqlite'), file);
      return { file };
    },
    async end() {
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function postgresGround(): Ground {
  let server: Postgres;
  let template = '';
  return {
    async begin() {
      server = await startPostgres();
      template = await server.freshDatabase();
      await makeTables({ url: template });
    },
    freshPlace: async () => ({ url: await copyDatabase(template) }),
    end: () => server.stop(),
  };
}

const grounds: [string, () => Ground][] = [
  ['SQLite', sqliteGround],
  ['PostgreSQL', postgresGround],
];

/** Runs one suite on every kind of store, each test on an empty one. */
export function onEveryStore(title: string, suite: (house: House) => void): void {
  describe.each(grounds)(`${title} on %s`, (_name, makeGround) => {
    const ground = makeGround();
    const open: Store[] = [];
    let place: Place;
    const openAt = async (where: Place, options: StoreOptions = {}) => {
      const store = await openStore(where, options);
      open.push(store);
      return store;
    };
    const house = {
      another: options => openAt(place, options),
      elsewhere: async () => openAt(await ground.freshPlace()),
    } as House;
    beforeAll(ground.begin);
    afterAll(ground.end);
    beforeEach(async () => {
      place = await ground.freshPlace();
      house.store = await openAt(place);
    });
    afterEach(async () => {
      await Promise.all(open.splice(0).map(store => store.close()));
    });
    suite(house);
  });
}

/** An organisation and two members, Ann and Ben, who sign in with ANN1 and BEN1. */
export function addSchool(store: Store, code = '3001') {
  return store.change(async tx => {
    const now = start;
    const organisation = await addOrganisation(tx, { code, name: `School ${code}`, type: 'school', provisioning: 'sims-ad', now });
    const members: number[] = [];
    for (const [firstName, subject] of [
      ['Ann', `ANN${code}`],
      ['Ben', `BEN${code}`],
    ] as const) {
      const person = await addPerson(tx, { firstName, lastName: 'Ash', email: `${firstName}@${code}.example`, now });
      await addIdentity(tx, { person, kind: 'education', subject, now });
      await addMembership(tx, { organisation, person, now });
      members.push(person);
    }
    const [ann, ben] = members as [number, number];
    return { organisation, ann, ben };
  });
}

export function signIn(store: Store, person: number, organisation: number) {
  const where = { host: 'portal.example', address: '127.0.0.1', agent: 'test' };
  return store.change(tx => startSession(tx, { person, organisation, kind: 'education', ...where, now: start }));
}
