import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { readAfter, verifyChain } from '#store/activity.ts';
import { applyImport, type ImportProgress, planImport } from '#store/import-people.ts';
import type { ImportRow } from '#store/import-rows.ts';
import { findLink, linkIsLive } from '#store/links.ts';
import { removeMembership } from '#store/memberships.ts';
import { findOrganisation, renameOrganisation } from '#store/organisations.ts';
import { secretsOf } from '#store/outbox.ts';
import { type ClaimedMessage, claim } from '#store/outbox-queue.ts';
import { deactivatePerson, findByIdentity } from '#store/people.ts';
import { administratorsOf } from '#store/rights.ts';
import { appointAdministrator, dismissAdministrator, grant } from '#store/rules.ts';
import { addSchool, key, onEveryStore, start } from './stores.ts';

const now = start;
const empty: ImportRow = {
  source_id: '',
  user_id: '',
  first_name: '',
  last_name: '',
  email: '',
  phone: '',
  organisation_code: '3001',
  organisation_name: 'Innovations PLC - SP3',
  administrator: 'no',
  job_role: '',
};
const james = {
  ...empty,
  source_id: '1',
  user_id: 'JSMITH12',
  first_name: 'James',
  last_name: 'Smith',
  email: 'james@school.example',
  administrator: 'yes',
};
const wendy = { ...empty, source_id: '2', first_name: 'Wendy', last_name: 'Dale', email: 'wendy@school.example', phone: '0000000000' };
const cher = { ...empty, source_id: '3', user_id: 'CHER1', first_name: 'Cher', job_role: 'Singer' };
const importing = { now, sealKey: key, linkAddress: (token: string) => `https://portal.example/${token}`, invitationMs: 7 * 86_400_000 };

onEveryStore('the import', house => {
  const load = async (...rows: ImportRow[]) => applyImport(house.store, rows, importing);
  const outcomes = async (...rows: ImportRow[]) => {
    const planned = await planImport(house.store.db, rows, { now });
    const applied = await load(...rows);
    expect(applied).toEqual(planned);
    return applied.map(({ outcome }) => outcome);
  };
  const organisationId = async () => (await findOrganisation(house.store.db, '3001'))!.id;

  test('of many people leaves a database that knows how many there are', async () => {
    const rows = Array.from({ length: 1_000 }, (_, index) => {
      return { ...empty, source_id: `M${index}`, user_id: `U${index}`, first_name: 'Ann', last_name: `Of ${index}` };
    });
    await load(...rows);
    const { db, kind } = house.store;
    // PostgreSQL plans by this number, and would know it only a minute later.
    const known = sql<{ people: number }>`select reltuples as people from pg_class where relname = 'people'`;
    const counted = sql<{ people: number }>`select count(*) as people from people`;
    const answer = await (kind === 'postgres' ? known : counted).execute(db);
    expect(answer.rows).toEqual([{ people: 1_000 }]);
  });

  test('writes nothing in its dry run, and the same file twice changes nothing', async () => {
    const rows = [james, wendy, cher];
    expect((await planImport(house.store.db, rows, { now })).map(({ outcome, madeAdministrator }) => [outcome, madeAdministrator])).toEqual(
      [
        ['new', true],
        ['new', false],
        ['new', false],
      ],
    );
    expect(await readAfter(house.store.db, 0, 10)).toEqual([]);
    expect(await outcomes(...rows)).toEqual(['new', 'new', 'new']);
    const before = (await readAfter(house.store.db, 0, 100)).length;
    expect(await outcomes(...rows)).toEqual(['unchanged', 'unchanged', 'unchanged']);
    expect(await readAfter(house.store.db, before, 10)).toEqual([]);
  });

  test('loads people, identities, memberships and administrators, and trusts no phone', async () => {
    await load(james, wendy, cher);
    const { db } = house.store;
    expect(await findByIdentity(db, 'directory', 'jsmith12')).toMatchObject({ source_id: '1', last_name: 'Smith' });
    expect(await findByIdentity(db, 'local', 'WENDY@school.example')).toMatchObject({ phone: '0000000000', security_phone: null });
    expect(await findByIdentity(db, 'directory', 'CHER1')).toMatchObject({ first_name: 'Cher', last_name: '' });
    expect((await administratorsOf(db, await organisationId(), now)).map(({ first_name }) => first_name)).toEqual(['James']);
    const kinds = (await readAfter(db, 0, 100)).map(({ kind }) => kind);
    expect(kinds.filter(kind => kind === 'person-imported')).toHaveLength(3);
    expect(kinds).toContain('organisation-added');
    expect(kinds).toContain('administrator-appointed');
  });

  test('welcomes new administrators, with a link for those who have no password yet', async () => {
    await load(james, { ...wendy, administrator: 'Yes' }, { ...cher, administrator: 'TRUE' });
    const messages = await claim(house.store.db, now, 10);
    expect(messages.map(({ recipient, template }) => [recipient, template])).toEqual([
      ['james@school.example', 'administrator-welcome'],
      ['wendy@school.example', 'administrator-welcome'],
    ]);
    expect(messages[0]?.data).toEqual({ organisation: 'Innovations PLC - SP3', alsoFor: [], by: null, at: now, linkExpiresAt: null });
    expect(messages[0]?.sealed).toBeNull();
    const { link = '' } = secretsOf(messages[1]!, key);
    const person = await findByIdentity(house.store.db, 'local', wendy.email);
    expect(await findLink(house.store.db, link.slice('https://portal.example/'.length))).toMatchObject({
      person_id: person?.id,
      purpose: 'invitation',
    });
    await load(james);
    expect(await claim(house.store.db, now, 10)).toEqual([]);
  });

  test('welcomes an administrator of several organisations once, with one link that works', async () => {
    const boss = { ...wendy, administrator: 'yes' };
    const second = { organisation_code: '3002', organisation_name: 'Second school' };
    const third = { organisation_code: '3003', organisation_name: 'Third school' };
    await load(boss, james, { ...boss, ...second }, { ...james, ...second }, { ...boss, ...third });
    const messages = await claim(house.store.db, now, 10);
    expect(messages.map(({ recipient, data }) => [recipient, data.organisation, data.alsoFor])).toEqual([
      ['wendy@school.example', 'Innovations PLC - SP3', ['Second school', 'Third school']],
      ['james@school.example', 'Innovations PLC - SP3', ['Second school']],
    ]);
    const token = secretsOf(messages[0]!, key).link!.slice('https://portal.example/'.length);
    expect(linkIsLive((await findLink(house.store.db, token))!, now)).toBe(true);
    const links = (await readAfter(house.store.db, 0, 100)).filter(({ kind }) => kind === 'link-made');
    expect(links).toHaveLength(1);
  });

  test('leaves the link alone that a message under way carries, and tells of the next organisation in another', async () => {
    const boss = { ...wendy, administrator: 'yes' };
    const others = Array.from({ length: 200 }, (_, index) => ({ ...cher, source_id: `c${index}`, user_id: `C${index}` }));
    const taken: ClaimedMessage[] = [];
    // As a worker that sends between two batches of the same import does.
    const store = await house.another({ onChanged: async () => void taken.push(...(await claim(house.store.db, now, 10))) });
    const rows = [boss, ...others, { ...boss, organisation_code: '3002', organisation_name: 'Second school' }];
    await applyImport(store, rows, importing);
    expect(taken.map(({ data, sealed }) => [data.organisation, data.alsoFor, sealed !== null])).toEqual([
      ['Innovations PLC - SP3', [], true],
      ['Second school', [], false],
    ]);
    const token = secretsOf(taken[0]!, key).link!.slice('https://portal.example/'.length);
    expect(linkIsLive((await findLink(store.db, token))!, now)).toBe(true);
  });

  test('never lets a user ID or address pass on to another source id', async () => {
    await load(james, wendy);
    const another = { ...james, source_id: '9', user_id: 'jsmith12', first_name: 'Jane' };
    const sameMail = { ...wendy, source_id: '8', email: 'Wendy@School.example' };
    const takes = { ...wendy, user_id: 'JSMITH12' };
    expect(await outcomes(another, sameMail, takes)).toEqual(['conflict', 'conflict', 'conflict']);
    expect(await findByIdentity(house.store.db, 'directory', 'JSMITH12')).toMatchObject({ source_id: '1', first_name: 'James' });
    // Freed earlier in the same file is not free: which of the two is meant is for a human.
    expect(await outcomes({ ...james, user_id: 'JSMITH13' }, { ...another, user_id: 'JSMITH12' })).toEqual(['changed', 'conflict']);
  });

  test('leaves rows of one file that contradict each other to a human', async () => {
    const results = await outcomes(
      james,
      { ...james, last_name: 'Smyth' },
      james,
      { ...james, job_role: 'Head' },
      { ...wendy, user_id: 'JSMITH12' },
      { ...cher, organisation_name: 'Other name' },
      { ...james, organisation_code: '3002', organisation_name: 'Second school', administrator: 'no' },
    );
    expect(results).toEqual(['new', 'conflict', 'unchanged', 'conflict', 'conflict', 'conflict', 'changed']);
  });

  test('reports what is different, the organisation’s name among it', async () => {
    await load(james, cher);
    const changed = { ...james, last_name: 'Howell', email: 'j@school.example', organisation_name: 'New name', job_role: 'Head' };
    const [result] = await planImport(house.store.db, [changed], { now });
    expect(result).toMatchObject({ outcome: 'changed', changes: ['last name', 'email', 'organisation name', 'job role'] });
    expect(await outcomes(changed)).toEqual(['changed']);
    expect((await findOrganisation(house.store.db, '3001'))?.name).toBe('New name');
    expect(await outcomes(changed)).toEqual(['unchanged']);
  });

  test('kills links in a mailbox that is no longer the person’s', async () => {
    await load({ ...wendy, administrator: 'yes' });
    const [message] = await claim(house.store.db, now, 1);
    const token = secretsOf(message!, key).link!.slice('https://portal.example/'.length);
    await load({ ...wendy, email: 'dale@school.example', administrator: 'yes' });
    expect((await findLink(house.store.db, token))?.cancelled_at).toBe(now);
    expect(await findByIdentity(house.store.db, 'local', 'wendy@school.example')).toBeUndefined();
    expect(await findByIdentity(house.store.db, 'local', 'dale@school.example')).toBeDefined();
  });

  test('does not bring back whom somebody removed, nor an administrator whom somebody dismissed', async () => {
    await load(james, cher);
    const organisation = await organisationId();
    const [boss, singer] = [
      await findByIdentity(house.store.db, 'directory', 'JSMITH12'),
      await findByIdentity(house.store.db, 'directory', 'CHER1'),
    ];
    await house.store.change(async tx => {
      await grant(tx, { organisation, person: singer!.id, service: 'hias', endsAt: null, by: boss!.id, now });
      await removeMembership(tx, { organisation, person: singer!.id, by: boss!.id, reason: 'Left', now });
      await dismissAdministrator(tx, { organisation, person: boss!.id, by: singer!.id, now });
    });
    expect(await outcomes(cher, james)).toEqual(['removed-by-administrator', 'unchanged']);
    expect((await load(james))[0]?.reason).toContain('does not appoint them again');
    expect(await administratorsOf(house.store.db, organisation, now)).toEqual([]);
    await house.store.change(tx => appointAdministrator(tx, { organisation, person: boss!.id, by: singer!.id, now }));
    expect((await load(james))[0]).toMatchObject({ outcome: 'unchanged', reason: null });
  });

  test('leaves deactivated people and a way around the directory to a human', async () => {
    await load(james, cher);
    const person = await findByIdentity(house.store.db, 'directory', 'CHER1');
    await house.store.change(tx => deactivatePerson(tx, person!.id));
    expect(await outcomes(cher, { ...james, user_id: '' })).toEqual(['conflict', 'conflict']);
  });

  test('refuses rows that are wrong in themselves, each with its reason', async () => {
    const wrong: [Partial<ImportRow>, string][] = [
      [{ source_id: ' ' }, 'source_id'],
      [{ organisation_code: '' }, 'organisation_code'],
      [{ organisation_code: '77', organisation_name: '' }, 'organisation_name'],
      [{ first_name: '', last_name: '' }, 'first_name'],
      [{ user_id: '', email: '' }, 'user_id'],
      [{ email: 'a@b.example\r\nBcc: eve@x.example' }, 'email'],
      [{ email: 'a@b.example,eve@x.example' }, 'email'],
      [{ administrator: 'perhaps' }, 'administrator'],
      [{ job_role: 'x'.repeat(201) }, 'job_role'],
    ];
    const results = await planImport(
      house.store.db,
      wrong.map(([over]) => ({ ...james, ...over })),
      { now },
    );
    expect(results.map(({ outcome }) => outcome)).toEqual(wrong.map(() => 'error'));
    expect(results.map(({ reason }) => reason?.split(' ')[0])).toEqual(wrong.map(([, word]) => word));
    expect(await outcomes(...wrong.map(([over]) => ({ ...james, ...over })))).toEqual(wrong.map(() => 'error'));
  });

  test('takes a file of many batches in small transactions', async () => {
    let changes = 0;
    const onChanged = async () => {
      changes += 1;
    };
    const store = await house.another({ onChanged });
    const rows = Array.from({ length: 450 }, (_, index) => ({ ...cher, source_id: String(index), user_id: `U${index}` }));
    expect((await applyImport(store, rows, importing)).every(({ outcome }) => outcome === 'new')).toBe(true);
    expect(changes).toBe(3);
    expect((await planImport(store.db, rows, { now })).every(({ outcome }) => outcome === 'unchanged')).toBe(true);
  });

  test('writes of a file at once what it writes of its rows one by one', async () => {
    const second = { organisation_code: '3002', organisation_name: 'Second School' };
    const first = [james, { ...wendy, administrator: 'yes' }, cher, { ...wendy, ...second }, { ...james, ...second, job_role: 'Head' }];
    const then = [
      { ...james, last_name: 'Smythe', email: 'smythe@school.example' },
      { ...wendy, administrator: 'yes', email: 'dale@school.example' },
      { ...cher, ...second, organisation_name: 'Second Academy' },
      { ...wendy, email: 'dale@school.example', ...second, organisation_name: 'Second Academy', job_role: 'Bursar' },
      { ...cher, source_id: '4', user_id: 'CHER2' },
    ];
    const tablesAfter = async (portions: ImportRow[][]) => {
      const store = await house.elsewhere();
      const { db } = store;
      for (const rows of portions) expect((await applyImport(store, rows, importing)).map(({ reason }) => reason).join('')).toBe('');
      return {
        people: await db.selectFrom('people').select(['source_id', 'first_name', 'last_name', 'email']).orderBy('source_id').execute(),
        identities: await db.selectFrom('identities').select(['provider', 'subject']).orderBy('subject').execute(),
        organisations: await db.selectFrom('organisations').select(['code', 'name']).orderBy('code').execute(),
        memberships: await db
          .selectFrom('memberships')
          .innerJoin('people', 'people.id', 'person_id')
          .innerJoin('organisations', 'organisations.id', 'organisation_id')
          .select(['source_id', 'code', 'job_role'])
          .orderBy('source_id')
          .orderBy('code')
          .execute(),
        administrators: (await db.selectFrom('rules').select('id').where('ptype', '=', 'g').execute()).length,
        activity: (await readAfter(db, 0, 100)).map(({ kind }) => kind).sort(),
        chain: await verifyChain(db),
      };
    };
    const atOnce = await tablesAfter([first, then]);
    expect(atOnce).toEqual(await tablesAfter([...first, ...then].map(row => [row])));
    expect(atOnce.memberships).toHaveLength(7);
    expect(atOnce.people.map(({ last_name }) => last_name)).toEqual(['Smythe', 'Dale', '', '']);
  });

  test('lets no row go before the one that names its organisation', async () => {
    const elsewhere = { ...cher, organisation_code: '3009', organisation_name: 'Far Away' };
    const there = { ...wendy, organisation_code: '3009', organisation_name: '' };
    expect(await outcomes(cher, elsewhere, there)).toEqual(['new', 'changed', 'new']);
  });

  test('keeps names to the letter', async () => {
    const named = { ...cher, first_name: String.raw`Zoë "Zo" \u0041`, last_name: 'd\'Ærø 😀 {"a":1}', job_role: 'null' };
    await load(named);
    const people = await house.store.db.selectFrom('people').select(['first_name', 'last_name', 'email', 'created_at']).execute();
    expect(people).toEqual([{ first_name: named.first_name, last_name: named.last_name, email: null, created_at: now }]);
    expect(await house.store.db.selectFrom('memberships').select(['job_role', 'version']).execute()).toEqual([
      { job_role: 'null', version: 1 },
    ]);
  });

  test('says how far it has come, and lets others change things between its batches', async () => {
    const { organisation } = await addSchool(house.store);
    const other = await house.another();
    const rows = Array.from({ length: 2_000 }, (_, index) => ({ ...cher, source_id: String(index), user_id: `U${index}` }));
    const progress: ImportProgress[] = [];
    let running = true;
    const importRun = applyImport(house.store, rows, { ...importing, onProgress: said => progress.push(said) }).finally(() => {
      running = false;
    });
    let changes = 0;
    while (running) {
      await other.change(tx => renameOrganisation(tx, organisation, `School ${changes}`));
      if (running) changes += 1;
    }
    await importRun;
    expect(changes).toBeGreaterThanOrEqual(5);
    expect(progress.map(({ rows, step }) => `${rows} ${step}`)).toEqual([
      ...Array.from({ length: 10 }, (_, batch) => `${(batch + 1) * 200} checked`),
      ...Array.from({ length: 10 }, (_, batch) => `${(batch + 1) * 200} written`),
    ]);
  });
});
