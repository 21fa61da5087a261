import type { KyselyPlugin } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startApp, type TestApp } from '#tests/app.ts';
import { type SiteName, visit } from '#tests/visits.ts';

// The n-th question to the database fails, for n = 1, 2, 3, … until a request needs no more than that.
const MOST = 60;

let app: TestApp;
let left = Number.POSITIVE_INFINITY;
beforeAll(async () => {
  app = await startApp({ change: deps => ({ ...deps, store: { ...deps.store, db: deps.store.db.withPlugin(failing) } }) });
});
afterAll(() => app.close());

const failing: KyselyPlugin = {
  transformQuery({ node }) {
    left -= 1;
    if (left === 0) throw new Error('the database fails in a way that nobody thought of');
    return node;
  },
  transformResult: async ({ result }) => result,
};

/** Asks with another failing question each time; how often a question failed. Nothing is in memory when it is asked. */
async function askWithFailures(ask: () => Promise<number>, right: number[]): Promise<number> {
  for (let failure = 1; failure < MOST; failure += 1) {
    await app.app.serve(app.catalogue);
    left = failure;
    const status = await ask();
    const failed = left <= 0;
    left = Number.POSITIVE_INFINITY;
    if (!failed) {
      expect(right).toContain(status);
      return failure - 1;
    }
    // What is asked in passing, such as when somebody was last seen, may fail unnoticed.
    expect([...right, 500, 503]).toContain(status);
  }
  throw new Error(`more than ${MOST} questions`);
}

test.each<[string, string, SiteName, string, number[]]>([
  ['somebody’s own page', 'JHOWEL12', 'www3', '/efs/', [200]],
  ['a page that is not theirs', 'KEN144', 'www3', '/efs/', [403]],
  ['a file that several services share', 'JHOWEL12', 'www3', '/css/hantsweb.css', [200]],
])(
  'whichever question fails, %s is not shown because of it, and the next request is answered [fault 23]',
  async (_what, user, site, path, right) => {
    const { browser, host } = await visit(app, user, site);
    const ask = async () => (await browser.get(`http://${host}${path}`, { follow: false })).status;
    expect(right).toContain(await ask());
    expect(await askWithFailures(ask, right)).toBeGreaterThan(1);
    expect(right).toContain(await ask());
  },
);
