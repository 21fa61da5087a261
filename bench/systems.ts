import { type Expected, faultsOf, gateFaults, identityFaults, peerFaults, readSeen } from './checks.ts';
import { load, type Slot, type Target } from './load.ts';
import { loadCore, type Running, start } from './processes.ts';

/** What a program of this folder says when it is ready; a gated peer also says whose session which cookie is, at which host. */
type Ready = { port: number; user?: string; cookie?: string; host?: string };
type Gateway = Ready & Expected & { host: string; path: string };

/** One row of the table: where it is asked, whose processor time counts, and what which upstream must have been told. */
export type System = { name: string; target: Target; pid: number; upstream: number; user: string; peer: boolean };

const WARM_UP_SECONDS = 1;
const impostor = 'SOMEBODY-ELSE';

/** The names of the rows, as the ratios are asked for. */
export const names = {
  alone: 'upstream alone',
  bare: 'bare @fastify/http-proxy',
  gateway: 'the gateway, signed in',
  nginx: 'nginx, plain',
  nginxAsks: 'nginx auth_request, Node says yes',
  apache: 'Apache, plain',
  apacheAsks: 'Apache mod_auth_openidc',
  lemonldap: 'LemonLDAP::NG, nginx and FastCGI',
} as const;

const peers: readonly [string, string, string][] = [
  [names.nginx, 'peers/nginx.ts', 'plain'],
  [names.nginxAsks, 'peers/nginx.ts', 'auth-request'],
  [names.apache, 'peers/apache.ts', 'plain'],
  [names.apacheAsks, 'peers/apache.ts', 'openidc'],
  [names.lemonldap, 'peers/lemonldap.ts', ''],
];

/**
 * Starts every process, and refuses a gateway that does not gate. All systems are sent the same bytes, but for the host and the
 * session's cookie that a gated peer knows.
 * @param running gets what was started, also when something fails
 */
export async function startSystems(running: Running<unknown>[], core: number | null, withPeers: boolean): Promise<System[]> {
  async function run<Said extends Ready>(file: string, args: string[], where = core): Promise<Running<Said>> {
    const one = await start<Said>(file, args, where);
    running.push(one);
    return one;
  }
  const alone = await run('upstream.ts', []);
  const behind = await run('upstream.ts', [], core === null ? null : loadCore);
  const origin = `http://127.0.0.1:${behind.ready.port}`;
  const bare = await run('bare-proxy.ts', [origin]);
  const gateway = await run<Gateway>('gateway.ts', [origin]);

  const { host, path } = gateway.ready;
  const system = (name: string, { ready, pid }: Running<Ready>, upstream = behind, peer = false): System => ({
    ...{ name, pid, peer, upstream: upstream.ready.port, user: ready.user ?? impostor },
    target: {
      ...{ port: ready.port, path },
      headers: { host: ready.host ?? host, accept: 'text/html', cookie: ready.cookie ?? gateway.ready.cookie, 'remote-user': impostor },
    },
  });
  const systems = [system(names.alone, alone, alone), system(names.bare, bare), system(names.gateway, gateway)];
  refuse((await gateFaults(systems[2]!.target, behind.ready.port, gateway.ready)).map(fault => `the gateway: ${fault}`));
  for (const [name, file, kind] of withPeers ? peers : []) {
    const peer = await run(file, kind ? [kind, origin] : [origin]);
    systems.push(system(name, peer, behind, true));
    if (peer.ready.user) refuse((await peerFaults(systems.at(-1)!.target)).map(fault => `${name}: ${fault}`));
  }
  return systems;
}

/** One system's turn, after an uncounted second. Throws at the first thing that would make its figures mean nothing. */
export async function measureSlot({ name, target, pid, upstream, user, peer }: System, seconds: number): Promise<Slot> {
  // A peer may close a kept-alive connection when it likes, Apache does now and then, and the load generator asks again.
  const counted = (slot: Slot): Slot => (peer && slot.lost * 1_000 < slot.requests ? { ...slot, lost: 0 } : slot);
  refuse(faultsOf(name, counted(await load(target, WARM_UP_SECONDS, null))));
  const before = await readSeen(upstream);
  const slot = await load(target, seconds, pid);
  refuse([...faultsOf(name, counted(slot)), ...identityFaults(name, user, slot.requests, before, await readSeen(upstream))]);
  return slot;
}

function refuse(faults: string[]): void {
  if (faults.length > 0) throw new Error(['These figures would mean nothing:', ...faults].join('\n  '));
}
