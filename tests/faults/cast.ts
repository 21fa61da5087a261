import { expect } from 'vitest';
import { asAdministrator, idOf, innovations } from '#tests/admin-ui-steps.ts';
import type { Answer, Browser, DemoPlace } from '#tests/app.ts';
import { visit } from '#tests/visits.ts';
import type { Asker } from './probe.ts';

/** An administrator of the demo, somebody whose rights they change, and what that one asks a probe's questions with. */
export type Cast = {
  admin: Browser;
  page: string;
  /** Saves what the person may open; the page is read first. */
  save(services: string[]): Promise<Answer>;
  /** The person's question for a page, put to one process or to whatever stands in front. */
  asks(port: number, path: string): Asker;
};

/** May open `/trailblazer/`, and not `/efs/`. */
export async function enterCast(at: DemoPlace): Promise<Cast> {
  const admin = await asAdministrator(at, 'JHOWEL12');
  const { host, cookie } = await visit(at, 'KEN144');
  const page = `${at.portal}${innovations}/people/${await idOf(at, 'KEN144')}`;
  const cast: Cast = {
    ...{ admin, page },
    save: async services => admin.submit(page, await admin.get(page), { services }, { follow: false }),
    asks: (port, path) => ({ port, host, path, headers: [['Cookie', cookie]] }),
  };
  expect((await cast.save(['trailblazer'])).status).toBe(303);
  return cast;
}
