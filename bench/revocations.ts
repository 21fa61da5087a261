import { type Browser, createBrowser } from '#tests/app.ts';
import { withStore } from '#tests/command-line-steps.ts';
import { figureOf, type Result } from './figures.ts';
import type { Visit } from './load.ts';
import { signInAdministrators } from './scale-gateway.ts';
import type { System } from './systems.ts';
import { requestOf, talk } from './talk.ts';
import { behindTls, portalHost } from './visitors.ts';

/** How many connections ask: with several processes, enough that each has some of them. */
const ASKING = 16;
const PAUSE_MS = 10;
const TOO_LONG_MS = 10_000;

/** An administrator of the county's first organisation, and somebody of theirs who is signed in. */
type Scene = { admin: Browser; page: string; visit: Visit };

/**
 * How soon a right is gone: from the answer to "Save changes" to the moment after which no connection is let in. Each change gives the
 * right, sees it everywhere, and takes it away.
 * @param mostMs what is asked of it
 */
export async function measureRevocations(system: System, changes: number, mostMs: number): Promise<Result> {
  console.log(`revocations, ${system.contender.name}`);
  const { port } = system.ready;
  const scene = await setTheScene(system);
  const times: number[] = [];
  for (let change = 0; change < changes; change += 1) {
    await save(scene, [scene.visit.service!]);
    await until('200', port, scene.visit);
    const asking = until('403', port, scene.visit);
    const saved = await save(scene, []);
    times.push(Math.max(0, (await asking) - saved));
  }
  return { what: `${system.contender.name}: the last request let in after the answer, ms`, most: mostMs, seen: figureOf(times) };
}

async function setTheScene({ ready }: System): Promise<Scene> {
  const { env } = ready.county!;
  const visit = ready.visits![0]!;
  return withStore({ dir: '', env }, async store => {
    const { person_id } = await store.db
      .selectFrom('identities')
      .select('person_id')
      .where('subject', '=', visit.user!)
      .executeTakeFirstOrThrow();
    const [administrator] = await signInAdministrators(store, env);
    const { organisation, cookie } = administrator!;
    const admin = createBrowser(ready.port);
    const [name = '', value = ''] = cookie.split(/=(.*)/);
    admin.cookies.set(portalHost, new Map([[name, value]]));
    return { admin, visit, page: `https://${portalHost}/organisations/${organisation}/people/${person_id}` };
  });
}

/** Saves what the person may open; returns when the answer was there. */
async function save({ admin, page }: Scene, services: string[]): Promise<number> {
  const form = await admin.get(page, { headers: behindTls });
  const { status } = await admin.submit(page, form, { services }, { follow: false, headers: behindTls });
  if (status !== 303) throw new Error(`an administrator could not save a change: ${status}`);
  return performance.now();
}

/** Asks over every connection until all are answered so; returns when the last other answer was asked for. */
async function until(status: string, port: number, { path, headers }: Visit): Promise<number> {
  const request = requestOf('GET', path, headers);
  const deadline = performance.now() + TOO_LONG_MS;
  let lastOther = 0;
  const ask = async () => {
    let asked = 0;
    let answer = '';
    const next = () => {
      asked = performance.now();
      return answer === status || asked > deadline ? null : request;
    };
    const answered = (got: string) => {
      answer = got;
      if (got !== status) lastOther = Math.max(lastOther, asked);
    };
    await talk(port, { next, answered, pauseMs: PAUSE_MS });
    if (answer !== status) throw new Error(`a change was not heard of: ${answer} instead of ${status}`);
  };
  await Promise.all(Array.from({ length: ASKING }, ask));
  return lastOther;
}
