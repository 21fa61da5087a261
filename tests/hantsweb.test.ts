import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { councilCatalogue } from '#config/demo/catalogue.ts';
import { demoDirectory } from '#config/demo/directory.ts';
import { startHantsweb } from '#config/demo/hantsweb.ts';
import { demoOrganisations } from '#config/demo/organisations.ts';
import { demoPeople } from '#config/demo/people.ts';

type Got = { status: number; headers: Record<string, string | string[] | undefined>; body: string; bytes: Buffer };
type Sent = { method?: string; headers?: Record<string, string>; body?: string };

const catalogue = councilCatalogue();
let hantsweb: Awaited<ReturnType<typeof startHantsweb>>;
beforeAll(async () => {
  hantsweb = await startHantsweb();
});
afterAll(() => hantsweb.close());

/** Real HTTP with a Host header of our choice, which fetch does not allow. */
function get(host: string, path: string, { method = 'GET', headers = {}, body = '' }: Sent = {}): Promise<Got> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port: hantsweb.port, path, method, headers: { host, ...headers } }, async response => {
      const bytes = Buffer.concat(await response.toArray());
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: bytes.toString(), bytes });
    });
    asked.on('error', reject).end(body);
  });
}

const demo = (name: string) => `${name}.hants.localhost:8080`;
const plain = (text: string) => text.replace(/&#(\d+);/g, (_all, code) => String.fromCharCode(Number(code)));

describe('the old pages', () => {
  test.each(catalogue.services.flatMap(service => service.legacyLogins.map(login => ({ ...login, service }))))(
    '$address leads to a page that names service and addresses',
    async ({ address, target, service }) => {
      const { hostname, pathname } = new URL(target);
      const host = hostname.replace('.gov.uk', '.localhost:8080');
      const page = await get(host, pathname);
      expect(page.status).toBe(200);
      expect(page.headers['content-type']).toBe('text/html; charset=utf-8');
      for (const words of [service.shortName, service.fullName, `${host}${pathname}`, address]) expect(plain(page.body)).toContain(words);
    },
  );

  test('every link of a page leads somewhere on the same server', async () => {
    for (const start of ['/ictinschools.htm', '/ictinschools/sims', '/ictinschools/sims/']) {
      const page = await get(demo('intranet'), start);
      const links = [...plain(page.body).matchAll(/(?:href|src)="([^"]+)"/g)].map(
        ([, link]) => new URL(link ?? '', `http://${demo('intranet')}${start}`),
      );
      expect(links.length).toBeGreaterThan(6);
      for (const link of links) expect([200, 302], link.href).toContain((await get(link.host, link.pathname)).status);
    }
  });

  test('links are relative, from the root, and in full', async () => {
    const { body } = await get(demo('www3'), '/education/hias.htm');
    expect(body).toContain('href="hias/news.htm"');
    expect(body).toContain('href="/education/hias/old-news.htm"');
    expect(body).toContain('href="http://www3.hants.localhost:8080/education/hias/contact.htm"');
    expect(body).toContain('href="hias/moodle"');
  });

  test('say who is there, in any script, and escape what they are told', async () => {
    expect((await get(demo('www3'), '/efs/')).body).toContain('Signed in as <b>nobody</b>');
    const headers = { 'remote-user': 'LHADDA5', 'remote-name': encodeURIComponent('ليلى <b>'), 'portal-organisation': 'O%27Hara 100%' };
    const { body } = await get(demo('www3'), '/efs/', { headers });
    expect(plain(body)).toContain('Signed in as <b><bdi>ليلى <b></bdi></b>');
    expect(body).not.toContain('ليلى <b>');
    expect(plain(body)).toContain('O%27Hara 100%');
    expect(body).toContain('LHADDA5');
  });

  test('count visits with a cookie of their own', async () => {
    const first = await get(demo('www3'), '/trailblazer/');
    expect(first.headers['set-cookie']).toEqual(['HantswebVisits=1; Path=/']);
    const second = await get(demo('www3'), '/trailblazer/', { headers: { cookie: 'a=b; HantswebVisits=1' } });
    expect(second.body).toContain('<b id="visits">2</b>');
  });

  test('send a moved page on, with an address in full, by the scheme and name the visitor used', async () => {
    const moved = await get(demo('www3'), '/efs/old-news.htm');
    expect([moved.status, moved.headers.location]).toEqual([302, 'http://www3.hants.localhost:8080/efs/news.htm']);
    const secure = await get('127.0.0.1:9', '/efs/old-news.htm', {
      headers: { 'x-forwarded-host': 'www3.hants.gov.uk', 'x-forwarded-proto': 'https' },
    });
    expect(secure.headers.location).toBe('https://www3.hants.gov.uk/efs/news.htm');
  });

  test('take a form and show what came', async () => {
    const form = (await get(demo('www3'), '/hcc/eps/contact.htm')).body;
    expect(form).toContain('<form method="post" action="contact.htm">');
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const { body } = await get(demo('www3'), '/hcc/eps/contact.htm', {
      method: 'POST',
      headers,
      body: 'subject=Zo%C3%AB+%26+%3Cb%3E&message=x',
    });
    expect(plain(body)).toContain('<td>Zoë & <b></td>');
    expect(body).toContain('&#60;b&#62;');
  });

  test('offer a download and show the headers received', async () => {
    const list = await get(demo('www'), '/educationandlearning/governors/contacts.csv');
    expect(list.headers['content-disposition']).toBe('attachment; filename="governors-contacts.csv"');
    expect(list.body).toContain('"governor.services@hants.gov.uk"');
    const echo = await get(demo('www'), '/educationandlearning/governors/headers.json', { headers: { 'portal-service': 'governors' } });
    expect(JSON.parse(echo.body)).toMatchObject({ host: demo('www'), 'portal-service': 'governors' });
  });

  test('do not care about capitals, as old servers do not', async () => {
    expect((await get(demo('www3'), '/EFS/News.HTM')).status).toBe(200);
  });

  test('share styles and pictures that are what they say', async () => {
    const starts = {
      '/images/hills.png': '89504e47',
      '/images/bullet.gif': '47494638',
      '/images/band.svg': '3c737667',
      '/images/walk.svg': '3c737667',
    };
    for (const [path, start] of Object.entries(starts))
      expect((await get(demo('intranet'), path)).bytes.subarray(0, 4).toString('hex'), path).toBe(start);
    expect((await get(demo('www3'), '/css/hantsweb.css')).headers['content-type']).toBe('text/css; charset=utf-8');
  });
});

describe('what is not ours', () => {
  test('the old logins ask for a password and lead on', async () => {
    const login = await get(demo('www3'), '/governor-login');
    expect(login.body).toContain('type="password"');
    const after = await get(demo('www3'), '/governor-login', { method: 'POST', body: 'user=a&password=b' });
    expect([after.status, after.headers.location]).toEqual([302, 'http://www.hants.localhost:8080/educationandlearning/governors']);
  });

  test('the Moodle keeps its own sign-in', async () => {
    expect((await get(demo('www3'), '/education/hias/moodle/course/7')).body).toContain('This Moodle has a sign-in of its own');
  });

  test('the main site has a public home page and pages for the footer links', async () => {
    for (const path of ['/', '/business', '/aboutthecouncil/privacy'])
      expect((await get(demo('www'), path)).body).toContain('no sign-in is needed');
  });

  test('unknown pages and hosts are not found', async () => {
    expect((await get(demo('www'), '/nothing')).body).toContain('Page cannot be found');
    expect((await get(demo('www3'), '/efs/nothing.htm')).status).toBe(404);
    expect((await get(demo('intranet'), '/')).status).toBe(404);
    expect((await get('evil.example', '/')).status).toBe(404);
  });
});

describe('the WebSocket', () => {
  test('sends texts and bytes back, and closes when asked', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${hantsweb.port}/efs/echo`, { headers: { host: demo('www3') } });
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    const next = () => new Promise<Buffer>(resolve => socket.once('message', data => resolve(data as Buffer)));
    for (const text of ['Zoë', 'x'.repeat(125), 'y'.repeat(60_000)]) {
      const back = next();
      socket.send(text);
      expect((await back).toString()).toBe(text);
    }
    const closed = new Promise(resolve => socket.once('close', resolve));
    socket.close(1000);
    expect(await closed).toBe(1000);
  });

  test('is refused elsewhere', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${hantsweb.port}/efs/`, { headers: { host: demo('www3') } });
    const error = await new Promise<Error>(resolve => socket.once('error', resolve));
    expect(error.message).toContain('404');
  });
});

describe("the demo's people", () => {
  test('are in organisations that exist, with services those may have', () => {
    for (const person of demoPeople) {
      for (const { code, services } of person.organisations) {
        const organisation = demoOrganisations.find(known => known.code === code);
        for (const service of services) expect(organisation?.services, person.userId).toContain(service);
      }
    }
    for (const { services } of demoOrganisations)
      for (const id of services) expect(catalogue.services.map(service => service.id)).toContain(id);
  });

  test('are distinct, and of every kind: ten of the guide in Innovations, one person in both, one council operator (S20–S24, S71–S72)', () => {
    expect(new Set(demoPeople.map(person => person.userId.toLowerCase())).size).toBe(demoPeople.length);
    const inInnovations = demoPeople.filter(person => person.organisations.some(({ code }) => code === 'SP3'));
    expect(inInnovations.map(person => `${person.firstName} ${person.lastName}`.trim())).toEqual([
      'Ken',
      'Ben',
      'Wendy',
      'Ollie',
      'Mike',
      'James Howell',
      'Paul',
      'Julia Taylor',
      'Carl',
      'Lisa Phillips',
    ]);
    expect(demoPeople.filter(person => person.organisations.length === 2)).toHaveLength(1);
    expect(demoPeople.filter(person => person.councilOperator)).toHaveLength(1);
    expect(new Set(demoPeople.map(person => person.kind))).toEqual(new Set(['education', 'council', 'registered']));
    expect(demoPeople.some(person => `${person.firstName} ${person.lastName}`.length === 60)).toBe(true);
  });

  test('sign in by the directory with their user ID in any case, and only with their own password', async () => {
    expect(await demoDirectory.check(' jhowel12 ', 'lantern-harbour-12')).toEqual({ subject: 'JHOWEL12' });
    expect(await demoDirectory.check('JHOWEL12', 'cobalt-garden-12')).toBeNull();
    expect(await demoDirectory.check('JHOWEL12', '')).toBeNull();
    expect(await demoDirectory.check('NOBODY1', '')).toBeNull();
    expect(await demoDirectory.check('paul@innovations.example', 'thistle-window-88')).toBeNull();
  });
});
