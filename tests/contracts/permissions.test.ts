import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildApp } from '#gateway/app.ts';
import { createCounts } from '#gateway/counts.ts';
import { createHashing } from '#gateway/sign-in/hashing.ts';
import { type Form, forms } from '#tests/permissions-forms.ts';
import { openScene, originOf, personas, picture, type Scene, type Visit } from '#tests/permissions-personas.ts';
import { type Row, sayOutcome, table } from '#tests/permissions-table.ts';
import { hostOf, visit } from '#tests/visits.ts';

let scene: Scene;
beforeAll(async () => {
  scene = await openScene();
});
afterAll(() => scene.app.close());

type Route = { method: string; url: string; rule: Row };

/** The portal's routes; what the sites' catch-all lets through is the page's affair, and has a test of its own below. */
function routes(...methods: string[]): Route[] {
  const all = scene.app.app
    .present()
    .app.declaredRoutes.filter(({ method, rule }) => methods.includes(method) && rule !== 'page' && rule !== 'asset');
  return all as Route[];
}

function formOf({ url, rule }: Route): Form {
  const form = forms[url];
  if (form) return form;
  throw new Error(
    `POST ${url} (${rule}) is tried by nobody: add it to "forms" in tests/permissions-forms.ts, with the fields that its page sends and for whom it changes the store.`,
  );
}

async function addressOf(route: Route, form?: Form, organisation = scene.school): Promise<string> {
  const person = await scene.personOf(form?.about ?? 'JSMITH12');
  const path = route.url.replace(':organisation', String(organisation)).replace(':person', String(person));
  return originOf(scene, route.url) + path;
}

async function send(visitor: Visit, address: string, fields: Record<string, string | string[]>, headers: Record<string, string> = {}) {
  const before = await picture(scene.app.store.db);
  const answer = await visitor.browser.submit(address, null, fields, { headers, follow: false });
  return { answer, changed: (await picture(scene.app.store.db)) !== before };
}

const say = (outcome: string, changed: boolean) => `${outcome}, ${changed ? 'and the store is another' : 'and nothing changed'}`;

describe('a route', () => {
  const withRoute = (method: string, config?: object) =>
    buildApp({
      ...scene.deps,
      counts: createCounts(),
      hashing: createHashing(),
      addToPortal: portal => void portal.route({ method, url: '/extra', ...(config ? { config } : {}), handler: async () => 'anything' }),
    });

  test.each([
    ['GET', undefined, 'GET /extra, HEAD /extra'],
    ['HEAD', undefined, 'HEAD /extra'],
    ['POST', undefined, 'POST /extra'],
    ['POST', { rule: 'everybody' }, 'POST /extra'],
  ])('by %s with %o does not let the gateway start', async (method, config, named) => {
    await expect(withRoute(method, config)).rejects.toThrow(`Routes without a rule: ${named}`);
  });

  test('with one of the rules does', async () => {
    const { app: gateway } = await withRoute('POST', { rule: 'signed-in' });
    expect(gateway.declaredRoutes).toContainEqual({ method: 'POST', url: '/extra', rule: 'signed-in' });
    await gateway.close();
  });

  test('has a row for its rule, and a form of ours if it takes one', () => {
    for (const { rule } of routes('GET', 'HEAD', 'POST')) expect(Object.keys(table)).toContain(rule);
    const taking = routes('POST');
    taking.forEach(formOf);
    expect(Object.keys(forms).sort()).toEqual(taking.map(({ url }) => url).sort());
  });
});

test('every form does what its rule says #97, and nothing for anybody else', async () => {
  const got: Record<string, string> = {};
  const wanted: Record<string, string> = {};
  for (const route of routes('POST')) {
    const form = formOf(route);
    const row = table[form.namesTheSchool ? 'signed-in, of an organisation' : route.rule];
    for (const persona of personas) {
      const visitor = await scene.visit(persona);
      await scene.forgetTries();
      const fields = await form.fields(scene, visitor);
      const { answer, changed } = await send(visitor, await addressOf(route, form), { ...fields, _csrf: visitor.token });
      const name = `${route.url} as ${persona}`;
      got[name] = say(sayOutcome(answer, row[persona]), changed);
      wanted[name] = say(row[persona], row[persona] === 'served' && (form.changesFor ?? personas).includes(persona));
    }
  }
  expect(got).toEqual(wanted);
});

test('under the address of one’s own organisation the people of another are nobody', async () => {
  const visitor = await scene.visit('administrator of another organisation');
  for (const route of routes('GET', 'POST').filter(({ url }) => url.includes(':person'))) {
    const form = formOf(route);
    const fields = await form.fields(scene, visitor);
    const address = await addressOf(route, form, scene.elsewhere);
    if (route.method === 'GET') expect([address, (await visitor.browser.get(address)).status]).toEqual([address, 404]);
    else
      expect(await send(visitor, address, { ...fields, _csrf: visitor.token })).toMatchObject({ answer: { status: 404 }, changed: false });
  }
});

test('every form is refused when it does not come from a page of the session', async () => {
  const site = originOf(scene, '/.portal/session');
  const stranger = await scene.visit('staff without any right');
  const faults: [string, { _csrf?: string }, Record<string, string>][] = [
    ['without a token', { _csrf: '' }, {}],
    ['with the token of another session', { _csrf: stranger.token }, {}],
    ['from a legacy page', {}, { 'sec-fetch-site': 'same-site' }],
    ['from another website', {}, { 'sec-fetch-site': 'cross-site' }],
    ['from an opaque origin', {}, { origin: 'null' }],
    ['from a legacy origin', {}, { origin: site }],
  ];
  const taken: string[] = [];
  for (const route of routes('POST')) {
    const form = formOf(route);
    for (const persona of route.rule === 'public' ? (['nobody', 'its administrator'] as const) : (['its administrator'] as const)) {
      const visitor = await scene.visit(persona);
      const fields = await form.fields(scene, visitor);
      for (const [what, token, headers] of faults) {
        const { answer, changed } = await send(
          visitor,
          await addressOf(route, form),
          { ...fields, _csrf: visitor.token, ...token },
          headers,
        );
        if (answer.status !== 403 || changed) taken.push(`${route.url} ${what} as ${persona}: ${answer.status}`);
      }
    }
  }
  expect(taken).toEqual([]);
});

describe('looking', () => {
  /** Addresses at which there is something to look at only with a question in them. */
  const questions: Record<string, (visitor: Visit) => Promise<string>> = {
    '/set-password': async visitor => `token=${(await forms['/set-password']!.fields(scene, visitor)).token}`,
    '/sign-in/site': async () => new URLSearchParams({ to: `${originOf(scene, '/.portal/')}/efs/`, nonce: 'n'.repeat(43) }).toString(),
    '/organisations/:organisation/people/new': async () => 'account=no',
  };

  test('at any page is allowed by its rule and changes nothing, by HEAD as by GET', async () => {
    const got: Record<string, string> = {};
    const wanted: Record<string, string> = {};
    for (const persona of personas) {
      for (const route of routes('GET', 'HEAD')) {
        const visitor = await scene.visit(persona);
        const question = (await questions[route.url]?.(visitor)) ?? '';
        const before = await picture(scene.app.store.db);
        const address = `${await addressOf(route)}?${question}`;
        const answer = await visitor.browser.get(address, { method: route.method, follow: false });
        const name = `${route.method} ${route.url} as ${persona}`;
        const outcome = route.rule === 'public' ? 'served' : table[route.rule][persona];
        got[name] = say(route.rule === 'public' ? 'served' : sayOutcome(answer, outcome), (await picture(scene.app.store.db)) !== before);
        wanted[name] = say(outcome, false);
      }
    }
    expect(got).toEqual(wanted);
  });

  test('with everything in the address that its form would send changes nothing either', async () => {
    for (const route of routes('POST')) {
      const form = formOf(route);
      const visitor = await scene.visit('its administrator');
      const fields = { ...(await form.fields(scene, visitor)), _csrf: visitor.token };
      const question = new URLSearchParams(Object.entries(fields).flatMap(([name, value]) => [value].flat().map(one => [name, one])));
      const before = await picture(scene.app.store.db);
      for (const method of ['GET', 'HEAD'])
        await visitor.browser.get(`${await addressOf(route, form)}?${question}`, { method, follow: false });
      expect([route.url, await picture(scene.app.store.db)]).toEqual([route.url, before]);
    }
  });
});

test('a legacy page takes the forms of whoever was given its service, and of nobody else', async () => {
  const userIds = [null, 'ZBRONT1', 'SOBRIE4', 'JHOWEL12', 'OPSCMC', 'HMARSH3'];
  const page = `http://${hostOf(scene.app, 'www')}/educationandlearning/governors`;
  for (const [index, persona] of personas.entries()) {
    const userId = userIds[index];
    const browser = userId ? (await visit(scene.app, userId, 'www')).browser : scene.app.browser();
    const answer = await browser.submit(page, null, { a: 'b' }, { follow: false });
    const outcome = table.page[persona];
    if (outcome === 'sign-in') expect(String(answer.headers.location)).toContain(`${scene.app.portal}/sign-in/site?`);
    else expect([persona, sayOutcome(answer, outcome)]).toEqual([persona, outcome]);
  }
});
