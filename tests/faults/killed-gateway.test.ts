import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { root } from '#tests/command-line-steps.ts';
import { type Fleet, startFleet } from '#tests/fleet.ts';
import { freePort } from '#tests/free-port.ts';
import { stopGateway } from '#tests/gateway-process.ts';
import { long } from '#tests/long.ts';
import { type FrontServer, type Postgres, startHaproxy, startPostgres } from '#tests/servers.ts';
import { enterCast } from './cast.ts';
import { sayProbe, startProbe } from './probe.ts';

// The sample of config/deploy in front of two gateways, less its TLS.
const KILLS = long ? 5 : 1;
const patience = { timeout: 60_000, interval: 50 };

let postgres: Postgres;
let fleet: Fleet;
let front: FrontServer | null = null;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterEach(async () => {
  await front?.stop();
  await fleet.stop();
});
afterAll(() => postgres.stop());

async function startFront(gateways: readonly { port: number; operations: number }[]): Promise<number> {
  const port = await freePort();
  const sample = readFileSync(join(root, 'config/deploy/haproxy.cfg'), 'utf8');
  const line = /^ {2}server one 127\.0\.0\.1:8080 (.*)port 9090(.*)$/m;
  const servers = gateways.map((gateway, index) => `  server gateway${index} 127.0.0.1:${gateway.port} $1port ${gateway.operations}$2`);
  const configuration = sample
    .replace(/bind :443 ssl .*/, `bind 127.0.0.1:${port}`)
    .replace(/^ {2}(?:ssl-default|log stdout).*$/gm, '')
    .replace(line, servers.join('\n'));
  front = await startHaproxy(configuration, port);
  return port;
}

test('of two gateways behind HAProxy one is killed: the other goes on with its sessions within two seconds [fault 2]', {
  timeout: 120_000 + KILLS * 60_000,
}, async ({ annotate }) => {
  const took: number[] = [];
  let said = '';
  for (let time = 0; time < KILLS; time += 1) {
    if (time > 0) await front?.stop().then(() => fleet.stop());
    const operations = [await freePort(), await freePort()];
    const settings = { DATABASE_URL: await postgres.freshDatabase() };
    fleet = await startFleet(2, settings, index => ({ OPERATIONS_PORT: String(operations[index]) }));
    const cast = await enterCast(fleet);
    const port = await startFront(fleet.members.map((member, index) => ({ port: member.port, operations: operations[index]! })));
    const probe = startProbe([cast.asks(port, '/trailblazer/')], [cast.asks(port, '/efs/')]);
    await expect.poll(() => probe.asked.length, patience).toBeGreaterThan(20);
    expect(probe.failures()).toEqual([]);
    // Everybody came in by this one; the change has just been answered by it.
    expect((await cast.save(['trailblazer', 'mopp'])).status).toBe(303);
    const killed = performance.now();
    await stopGateway(fleet.members[0]!.gateway, 'SIGKILL');
    await expect.poll(() => probe.asked.filter(({ at, got }) => at > killed + 5_000 && got === 200).length, patience).toBeGreaterThan(20);
    await probe.stop();
    expect(probe.wrongAllows()).toEqual([]);
    took.push(Math.max(0, ...probe.failures().map(({ at, tookMs }) => at + tookMs - killed)));
    const moved = startProbe([cast.asks(fleet.members[1]!.port, '/hcc/eps/')], [cast.asks(fleet.members[1]!.port, '/efs/')]);
    await expect.poll(() => moved.asked.length, patience).toBeGreaterThan(4);
    await moved.stop();
    expect([...moved.failures(), ...moved.wrongAllows()]).toEqual([]);
    said = `${sayProbe(probe)}, ${probe.failures().length} failed, the last ${Math.round(Math.max(...took))} ms after the kill`;
  }
  console.log(said);
  await annotate(said, 'seen');
  expect(Math.max(...took)).toBeLessThan(long ? 2_000 : 10_000);
});
