import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Fleet, startFleet } from '#tests/fleet.ts';
import { long } from '#tests/long.ts';
import { type Postgres, type RedisServer, startPostgres, startRedis } from '#tests/servers.ts';
import { enterCast } from './cast.ts';
import { type Pipe, startPipe } from './pipe.ts';
import { sayProbe, startProbe } from './probe.ts';

const MAX_STALENESS_SECONDS = 3;
const ROUNDS = long ? 5 : 1;
const patience = { timeout: 60_000, interval: 20 };

let postgres: Postgres;
let redis: RedisServer;
let pipes: Pipe[] = [];
let fleet: Fleet;
beforeAll(async () => {
  [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
});
afterEach(async () => {
  for (const pipe of pipes) pipe.thaw();
  await fleet.stop();
  for (const pipe of pipes.splice(0)) await pipe.close();
});
afterAll(async () => {
  await Promise.all([postgres.stop(), redis.stop()]);
});

test('one of two processes hears nothing from the database and from Redis: it refuses what it cannot know, and comes back by itself [fault 24]', {
  timeout: 120_000 + ROUNDS * 60_000,
}, async ({ annotate }) => {
  const url = await postgres.freshDatabase();
  pipes = await Promise.all([startPipe(postgres.port), startPipe(redis.port)]);
  const through = (address: string, pipe: Pipe) => Object.assign(new URL(address), { port: String(pipe.port) }).href;
  const cut = { DATABASE_URL: through(url, pipes[0]!), REDIS_URL: through(redis.url, pipes[1]!) };
  const settings = { DATABASE_URL: url, REDIS_URL: redis.url, MAX_STALENESS: String(MAX_STALENESS_SECONDS) };
  fleet = await startFleet(2, settings, index => (index === 1 ? cut : {}));
  const cast = await enterCast(fleet);
  const [well, alone] = fleet.members.map(({ port }) => port) as [number, number];
  const stale: number[] = [];
  let longest = '';

  for (let round = 0; round < ROUNDS; round += 1) {
    const probe = startProbe([cast.asks(well, '/trailblazer/')], [cast.asks(alone, '/efs/')]);
    const lost = startProbe([cast.asks(alone, '/trailblazer/')], [cast.asks(well, '/efs/')]);
    const allowedAlone = () => lost.asked.filter(({ expected, got }) => expected === 'allowed' && got === 200);
    await expect.poll(() => allowedAlone().length, patience).toBeGreaterThan(3);
    for (const pipe of pipes) pipe.freeze();
    expect((await cast.save(['mopp'])).status).toBe(303);
    const saved = performance.now();
    await expect.poll(() => lost.failures().filter(({ at, got }) => at > saved && got === 503).length, patience).toBeGreaterThan(5);
    const late = allowedAlone().map(({ at }) => at - saved);
    stale.push(Math.max(0, ...late));
    for (const pipe of pipes) pipe.thaw();
    // It hears of the change before it allows anything again.
    await expect.poll(() => lost.asked.at(-2)?.got === 403 || lost.asked.at(-1)?.got === 403, patience).toBe(true);
    await lost.stop();
    await probe.stop();
    expect(
      allowedAlone()
        .map(({ at }) => at - saved)
        .filter(after => after > MAX_STALENESS_SECONDS * 1_000),
    ).toEqual([]);
    expect([...probe.wrongAllows(), ...lost.wrongAllows()]).toEqual([]);
    expect((await cast.save(['trailblazer'])).status).toBe(303);
    longest = sayProbe(lost);
  }
  const said = `allowed for ${Math.round(Math.max(...stale))} ms at most after the change (${MAX_STALENESS_SECONDS} s may be); ${longest}`;
  console.log(said);
  await annotate(said, 'seen');
  expect(Math.max(...stale)).toBeLessThanOrEqual(MAX_STALENESS_SECONDS * 1_000);
});
