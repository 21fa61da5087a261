import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { verifyChain } from '#store/activity.ts';
import { findLink, linkIsLive } from '#store/links.ts';
import { removeMembership } from '#store/memberships.ts';
import { secretsOf } from '#store/outbox.ts';
import { grant, revokeGrant } from '#store/rules.ts';
import {
  alice,
  emptyPlace,
  jane,
  linksIn,
  type PersonCells,
  type Place,
  portal,
  run as runProgram,
  tokenOf,
  withStore,
  writePeople,
} from '#tests/command-line-steps.ts';
import { type Postgres, startPostgres } from '#tests/servers.ts';

const smtp = { SMTP_URL: 'smtp://127.0.0.1:2525', MAIL_FROM: 'portal@hants.gov.uk' };
let postgres: Postgres;
let place: Place;
const run = (...args: string[]) => portal(place.env, args);
const importing = (people: PersonCells[], ...flags: string[]) => run('import', writePeople(place.dir, people), ...flags);
const peopleThere = () => withStore(place, ({ db }) => db.selectFrom('people').selectAll().orderBy('id').execute());
const outboxThere = () => withStore(place, ({ db }) => db.selectFrom('outbox').selectAll().orderBy('id').execute());
const isLive = (link: string | undefined) =>
  withStore(place, async ({ db }) => {
    const found = await findLink(db, tokenOf(link));
    return found !== undefined && linkIsLive(found, Date.now());
  });

beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.stop());

describe.each(['SQLite', 'PostgreSQL'])('the command line on %s', kind => {
  beforeEach(async () => {
    place = emptyPlace(kind === 'PostgreSQL' ? await postgres.freshDatabase() : undefined);
  });
  afterEach(() => rmSync(place.dir, { recursive: true, force: true }));

  test('people are found in every organisation, by any part of what is known of them', async () => {
    await importing([alice, jane, { ...jane, organisation_code: 'S2', organisation_name: 'Second School' }], '--apply');
    expect(await run('people', 'SMITH', 'jan')).toMatchObject({
      code: 0,
      out: 'Jane Smith; j.smith@first.example; First School (S1), Second School (S2)',
    });
    expect((await run('people', 'example')).out.split('\n').map(line => line.split(';')[0])).toEqual(['Alice Admin', 'Jane Smith']);
    expect((await run('people', 'nobody')).out).toBe('No one matches "nobody".');
    expect((await run('people')).code).toBe(1);
  });

  test('an import is a dry run until it is applied, and then changes nothing the second time', async () => {
    const dry = await importing([alice, jane]);
    expect(dry).toMatchObject({ code: 0, err: '' });
    expect(dry.out).toContain('2 rows: 2 new, 0 changed, 0 unchanged');
    expect(dry.out).toContain('Row 2: Alice Admin becomes an Organisation Administrator of First School.');
    expect(dry.out).toContain('Row 2: First School (S1) is a new organisation.');
    expect(dry.out.match(/is a new organisation/g)).toHaveLength(1);
    expect(dry.out).toContain('This was a dry run');
    expect(linksIn(dry.out)).toEqual([]);
    expect(await peopleThere()).toEqual([]);
    const applied = await importing([alice, jane], '--apply');
    expect(applied.out).toContain('2 rows: 2 new,');
    expect(applied.out).not.toContain('dry run');
    expect(await peopleThere()).toHaveLength(2);
    const again = await importing([alice, jane], '--apply');
    expect(again.out).toContain('2 rows: 0 new, 0 changed, 2 unchanged');
    expect(linksIn(again.out)).toEqual([]);
    expect(again.out).not.toContain('new organisation');
    expect(await withStore(place, ({ db }) => verifyChain(db))).toMatchObject({ broken: null });
  });

  test('rows in conflict or with an error are named by number and left out, the others written, and the exit code is 2', async () => {
    const wrong = { ...jane, source_id: '3', first_name: 'Jack' };
    const applied = await importing([jane, wrong, { source_id: '4', last_name: 'Nobody' }, {}, alice], '--apply');
    expect(applied).toMatchObject({ code: 2, err: '' });
    expect(applied.out).toMatch(/^Row 3: conflict: Row 2 gives this user ID or email to another person\.$/m);
    expect(applied.out).toMatch(/^Row 4: error: user_id and email are both missing\.$/m);
    expect(applied.out).toMatch(/^Row 5: error: source_id is missing\.$/m);
    expect((await peopleThere()).map(({ first_name }) => first_name)).toEqual(['Jane', 'Alice']);
  });

  test('a row that is too short is an error of its own, and blank rows are nothing at all', async () => {
    const file = writePeople(place.dir, [jane]);
    appendFileSync(file, ',,,,,,,,,\n9,too,short\n');
    const { code, out } = await run('import', file, '--apply');
    expect(code).toBe(2);
    expect(out).toContain('2 rows: 1 new, 0 changed, 0 unchanged');
    expect(out).toMatch(/^Row 4: error: it has 3 values, and the header has 10 columns\.$/m);
    expect(out).not.toContain('Row 3');
  });

  test('without a mail server a new administrator who needs a password gets a printed link, and a welcome that holds none', async () => {
    const head = {
      source_id: '9',
      user_id: 'HEAD1',
      first_name: 'Head',
      last_name: 'Teacher',
      email: 'head@first.example',
      administrator: 'yes',
    };
    const second = { ...alice, organisation_code: 'S2', organisation_name: 'Second School' };
    const { out } = await importing([alice, second, head, jane], '--apply');
    const links = linksIn(out);
    expect(links).toHaveLength(1);
    expect(out).toMatch(/^Hand this link to Alice Admin \(alice@first\.example\) yourself; it works once until \d+ \w+ \d{4} at /m);
    expect(await isLive(links[0])).toBe(true);
    // Only the demo has a directory that knows the passwords of user IDs.
    expect(out).toMatch(/^Row 4: Head Teacher becomes .*\. They cannot sign in with a user ID yet: .*\.$/m);
    expect(out.match(/cannot sign in/g)).toHaveLength(1);
    const waiting = await outboxThere();
    expect(JSON.parse(waiting[0]!.data)).toMatchObject({ organisation: 'First School', alsoFor: ['Second School'] });
    expect(
      waiting.map(({ template, recipient, status, sealed, expires_at }) => ({ template, recipient, status, sealed, expires_at })),
    ).toEqual(
      ['alice@first.example', 'head@first.example'].map(recipient => ({
        ...{ template: 'administrator-welcome', recipient, status: 'waiting', sealed: null, expires_at: null },
      })),
    );
  });

  test('with a mail server the link travels sealed in the welcome and is not printed', async () => {
    Object.assign(place.env, smtp);
    const { out } = await importing([alice], '--apply');
    expect(linksIn(out)).toEqual([]);
    const [welcome] = await outboxThere();
    expect(welcome?.sealed).toMatch(/^v1\./);
    expect(welcome?.data).not.toContain('token');
    const { loadKeys } = await import('#gateway/keys.ts');
    const { readSettings } = await import('#config/settings.ts');
    const message = { ...welcome!, person: null, createdAt: 0, expiresAt: null, leasedUntil: 0, data: {} };
    const { link } = secretsOf(message, loadKeys(readSettings(place.env)).seal);
    expect(await isLive(link)).toBe(true);
  });

  test('the council role is given with a link; asking again prints another and kills the first', async () => {
    const first = await run('council', 'add', 'olga@hants.gov.uk', '--first-name', 'Olga', '--last-name', 'Operator');
    expect(first).toMatchObject({ code: 0, err: '' });
    expect(first.out).toMatch(/^Olga Operator \(olga@hants\.gov\.uk\) is a council operator now\.$/m);
    const second = await run('council', 'add', 'OLGA@hants.gov.uk');
    expect(second.out).toMatch(/already; earlier links no longer work\.$/m);
    expect(await peopleThere()).toHaveLength(1);
    expect([await isLive(linksIn(first.out)[0]), await isLive(linksIn(second.out)[0])]).toEqual([false, true]);
    expect((await run('council', 'list')).out).toBe('Olga Operator, olga@hants.gov.uk');
    const kinds = await withStore(place, ({ db }) => db.selectFrom('activity').select(['kind', 'data']).orderBy('id').execute());
    expect(kinds.map(row => row.kind)).toEqual(['person-added', 'council-role-given', 'link-made', 'link-made']);
    expect(JSON.stringify(kinds)).not.toMatch(/olga|token/i);
    const removed = await run('council', 'remove', 'olga@hants.gov.uk', '--reason', 'left the council');
    expect(removed.out).toMatch(/Nobody is a council operator now\.$/);
    expect(await isLive(linksIn(second.out)[0])).toBe(false);
    expect((await run('council', 'list')).out).toBe('Nobody is a council operator.');
    expect(await run('council', 'remove', 'olga@hants.gov.uk', '--reason', 'again')).toMatchObject({ code: 1, out: '' });
  });

  test('a lost link is replaced, for people who have a password here and nobody else', async () => {
    const { out } = await importing([alice, jane], '--apply');
    const replaced = await run('link', 'Alice@First.example');
    expect(replaced.code).toBe(0);
    expect([await isLive(linksIn(out)[0]), await isLive(linksIn(replaced.out)[0])]).toEqual([false, true]);
    for (const address of ['j.smith@first.example', 'JSMITH12', 'nobody@first.example']) {
      expect(await run('link', address)).toMatchObject({ code: 1, out: '' });
    }
    await withStore(place, ({ db }) => db.updateTable('people').set({ active: 0 }).where('source_id', '=', '1').execute());
    expect((await run('link', 'alice@first.example')).err).toBe('The account of Alice Admin has been deactivated.');
    expect((await run('council', 'add', 'alice@first.example')).err).toBe('The account of Alice Admin has been deactivated.');
  });

  test('an organisation gets a service and loses it, and both are written down', async () => {
    await portal(place.env, ['import', writePeople(place.dir, [jane]), '--apply']);
    const added = await portal(place.env, ['subscribe', 'S1', 'efs']);
    expect(added).toMatchObject({ code: 0, err: '' });
    expect(added.out).toMatch(/^First School has Education Finance Services \(EFS\) now\./);
    expect((await portal(place.env, ['subscribe', 'S1', 'efs'])).out).toMatch(/already\.$/);
    expect((await portal(place.env, ['export'])).out).toMatch(/^p, r:organisation-admin, o:1, s:efs, grant, allow$/m);
    expect((await portal(place.env, ['subscribe', 'S1', 'efs', '--remove'])).code).toBe(0);
    expect((await portal(place.env, ['export'])).out).not.toContain('efs');
    expect((await portal(place.env, ['subscribe', 'S1', 'efs', '--remove'])).err).toMatch(/^First School does not have .*\.$/);
    expect((await portal(place.env, ['subscribe', 'S1', 'nope'])).err).toMatch(
      /^There is no service "nope" in the catalogue: it has schools-intranet, /,
    );
    expect((await portal(place.env, ['subscribe', 'S9', 'efs'])).err).toMatch(/^There is no organisation with the code S9: .*\.$/);
    const kinds = await withStore(place, store =>
      store.db.selectFrom('activity').select('kind').where('service', '=', 'efs').orderBy('id').execute(),
    );
    expect(kinds.map(({ kind }) => kind)).toEqual(['subscription-added', 'subscription-removed']);
  });

  test('a catalogue that has lost a service which somebody has is found by check, and no gateway starts with it', async () => {
    await importing([alice], '--apply');
    await run('subscribe', 'S1', 'governors');
    const text = readFileSync(place.env.CATALOGUE!, 'utf8');
    place.env.CATALOGUE = join(place.dir, 'services.yaml');
    writeFileSync(place.env.CATALOGUE, text.slice(0, text.indexOf('  - id: governors')));
    const words =
      /services\.yaml: governors is gone, but 1 organisations and 0 people have it or are blocked from it; put it back, with "archived: true"/;
    expect(await run('check')).toMatchObject({ code: 1, err: expect.stringMatching(words) });
    expect(await runProgram(place.env, 'gateway/main.ts')).toMatchObject({ code: 1, err: expect.stringMatching(words) });
    writeFileSync(place.env.CATALOGUE, text.replace('  - id: governors', '  - archived: true\n    id: governors'));
    expect(await run('check')).toMatchObject({ code: 0, err: '' });
  });

  test('the export is what held at an instant', async () => {
    const monday = Date.UTC(2026, 0, 5, 9);
    const tuesday = monday + 86_400_000;
    await portal(place.env, ['import', writePeople(place.dir, [alice]), '--apply'], () => monday);
    await portal(place.env, ['subscribe', 'S1', 'efs'], () => tuesday);
    const on = async (instant: string) => (await portal(place.env, ['export', '--at', instant], () => tuesday)).out;
    expect(await on('2026-01-05T09:00:00Z')).not.toContain('efs');
    expect(await on('2026-01-05T09:00:00Z')).toContain('g, u:1, r:organisation-admin, o:1');
    expect(await on('2026-01-06T09:00:00Z')).toContain('p, r:efs, o:1, s:efs, use, allow');
  });

  test('explain says who gave a right and when, what was taken away by whom, and in which organisation', async () => {
    const elsewhere = { ...jane, organisation_code: 'S2', organisation_name: 'Second School' };
    await importing([alice, jane, elsewhere], '--apply');
    await run('subscribe', 'S1', 'efs');
    const explain = (...more: string[]) => run('explain', '--url', 'http://www3.hants.gov.uk/efs-portal-login', '--person', ...more);
    const rights = { organisation: 1, person: 2, service: 'efs', by: 1 };
    await withStore(place, store => store.change(tx => grant(tx, { ...rights, endsAt: null, now: Date.UTC(2026, 5, 1, 9) })));
    const allowed = await explain('jsmith12');
    expect(allowed).toMatchObject({ code: 0, err: '' });
    expect(allowed.out).toMatch(/^Jane Smith at First School \(S1\)\nDecision {2}allow \(granted\)$/m);
    expect(allowed.out).toMatch(/^Rule {6}g, u:2, r:efs, o:1\n {10}given on 1 June 2026 at 10:00am by Alice Admin$/m);
    expect(allowed.out).toMatch(/^Jane Smith at Second School \(S2\)\nDecision {2}deny \(no-subscription\)$/m);
    expect(await explain('J.SMITH@first.example', '--organisation', 'S2')).toMatchObject({ code: 3, err: '' });

    await withStore(place, store => store.change(tx => revokeGrant(tx, { ...rights, now: Date.UTC(2026, 6, 1, 9) })));
    const revoked = await explain('JSMITH12', '--organisation', 'S1');
    expect(revoked).toMatchObject({ code: 3, err: '' });
    expect(revoked.out).toMatch(/given on 1 June 2026 at 10:00am by Alice Admin; taken away on 1 July 2026 at 10:00am by Alice Admin$/m);

    await withStore(place, store =>
      store.change(async tx => {
        for (const organisation of [1, 2]) {
          await removeMembership(tx, { organisation, person: 2, by: 1, reason: 'left', now: Date.UTC(2026, 7, 1, 9) });
        }
      }),
    );
    const gone = await explain('JSMITH12');
    expect(gone).toMatchObject({ code: 3, err: '' });
    expect(gone.out).toMatch(/^Decision {2}deny \(not-a-member\)$/m);
    expect(gone.out).toMatch(/^Before {4}Removed from First School on 1 August 2026 at 10:00am by Alice Admin \(left\)\.$/m);
  });

  test('explain tells the end of a right, today and on a day to come', async () => {
    await importing([alice, jane], '--apply');
    await run('subscribe', 'S1', 'efs');
    const now = Date.UTC(2026, 5, 1, 9);
    const rights = { organisation: 1, person: 2, service: 'efs', by: 1, endsAt: Date.UTC(2026, 6, 31, 23), now };
    await withStore(place, store => store.change(tx => grant(tx, rights)));
    const explain = (...more: string[]) =>
      portal(place.env, ['explain', '--url', 'https://www3.hants.gov.uk/efs', '--person', 'JSMITH12', ...more], () => now);
    expect((await explain()).out).toContain('This ends on 31 July 2026.');
    expect((await explain('--at', '2026-07-31T22:59:59Z')).code).toBe(0);
    let at = now;
    const ticking = () => at++;
    const told = await portal(place.env, ['explain', '--url', 'https://www3.hants.gov.uk/efs', '--person', 'JSMITH12'], ticking);
    expect(told).toMatchObject({ code: 0, err: '' });
    const later = await explain('--at', '2026-08-01T00:00:00+01:00');
    expect(later.code).toBe(3);
    expect(later.out).toMatch(/^Nearly {4}g, u:2, r:efs, o:1$/m);
  });

  test('a name that several people share is not guessed at, and one that nobody has is said', async () => {
    const shared = { email: 'office@first.example', last_name: 'Office' };
    await importing(
      [
        { ...shared, source_id: '5', user_id: 'A1', first_name: 'Ann' },
        { ...shared, source_id: '6', user_id: 'B1', first_name: 'Ben' },
      ],
      '--apply',
    );
    const explain = (name: string) => run('explain', '--url', 'https://www3.hants.gov.uk/efs', '--person', name);
    expect((await explain('office@first.example')).err).toMatch(
      /^office@first\.example is the email address of several people \(Ann Office, Ben Office\): .*\.$/,
    );
    expect((await explain('JSMITH99')).err).toBe('Nobody has the user ID or email address JSMITH99.');
    expect((await explain('b1')).out).toContain('Ben Office at First School');
  });
});
