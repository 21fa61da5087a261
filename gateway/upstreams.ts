import { Agent as HttpAgent, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { isIP } from 'node:net';
import { buildConnector, Pool } from 'undici';
import type { Settings } from '#config/settings.ts';
import type { ProblemCode } from './problems.ts';

/** A legacy server as the gateway uses it: its connections, how many may wait for one, and whether it is worth asking at all. */
export type Upstream = {
  origin: string;
  /** The name its certificate must carry: its own, not that of the `Host` header that is forwarded. */
  servername: string;
  pool: Pool;
  /** How to reach it without the pool: for a connection that becomes a WebSocket and never comes back. */
  direct: RequestOptions & { servername?: string };
  /** Why it should not be asked now, so that whoever waits is told at once; null when it may be. */
  refusal(): ProblemCode | null;
  /** Requests that wait for a connection. */
  waiting: Set<Waiting>;
  answered(): void;
  /** It could not be reached, or said nothing in time. */
  failed(): void;
};

/** A request that has no connection yet; undici itself would let it wait for ever. */
export type Waiting = { since: number; giveUp(): void };

export type Upstreams = { of(origin: string): Upstream; close(): Promise<void> };

type Limits = Settings['upstream'];

const FAILURES_TO_OPEN = 5;
const WAITING_PER_CONNECTION = 10;
const OPEN_MS = 5_000;
const SWEEP_MS = 1_000;

/** Each legacy server has connections and limits of its own, so that one that hangs cannot slow another. */
export function createUpstreams(limits: Limits, now: () => number = () => performance.now()): Upstreams {
  const upstreams = new Map<string, Upstream>();
  const sweep = setInterval(() => {
    const longest = (limits.connectSeconds + limits.headersSeconds) * 1000;
    for (const { waiting } of upstreams.values()) giveUpAfter(waiting, now() - longest);
  }, SWEEP_MS).unref();
  return {
    of(origin) {
      const known = upstreams.get(origin);
      if (known) return known;
      const made = createUpstream(origin, limits, now);
      upstreams.set(origin, made);
      return made;
    },
    async close() {
      clearInterval(sweep);
      await Promise.all([...upstreams.values()].map(({ pool }) => pool.destroy()));
    },
  };
}

function giveUpAfter(waiting: Set<Waiting>, oldest: number): void {
  for (const one of waiting) {
    // In order of arrival: whoever follows has waited less.
    if (one.since > oldest) return;
    waiting.delete(one);
    one.giveUp();
  }
}

function createUpstream(origin: string, limits: Limits, now: () => number): Upstream {
  const waiting = new Set<Waiting>();
  const breaker = createBreaker(now);
  return {
    origin,
    servername: new URL(origin).hostname,
    pool: connectionPool(origin, limits),
    direct: directOptions(origin, limits),
    waiting,
    refusal: () =>
      waiting.size >= WAITING_PER_CONNECTION * limits.connections ? 'upstream-busy' : breaker.refuses() ? 'upstream-unreachable' : null,
    answered: breaker.answered,
    failed: breaker.failed,
  };
}

/** After several failures in a row nobody is made to wait for the next; one request every few seconds finds out whether it is back. */
function createBreaker(now: () => number) {
  let failures = 0;
  let openUntil = 0;
  return {
    answered: () => {
      failures = 0;
    },
    failed: () => {
      failures += 1;
      if (failures >= FAILURES_TO_OPEN) openUntil = now() + OPEN_MS;
    },
    refuses: () => {
      if (failures < FAILURES_TO_OPEN) return false;
      if (now() < openUntil) return true;
      openUntil = now() + OPEN_MS;
      return false;
    },
  };
}

function connectionPool(origin: string, limits: Limits): Pool {
  const connect = buildConnector({ timeout: limits.connectSeconds * 1000, rejectUnauthorized: true });
  const servername = tlsName(origin);
  return new Pool(origin, {
    connections: limits.connections,
    headersTimeout: limits.headersSeconds * 1000,
    bodyTimeout: limits.bodySeconds * 1000,
    connect: (details, callback) => connect({ ...details, servername: servername ?? '' }, callback),
  });
}

/** TLS has no names for IP addresses; those are compared with the certificate without one. */
function tlsName(origin: string): string | undefined {
  const { hostname } = new URL(origin);
  return isIP(hostname.replace(/^\[|\]$/g, '')) ? undefined : hostname;
}

function directOptions(origin: string, limits: Limits): Upstream['direct'] {
  const { protocol, hostname, port } = new URL(origin);
  const secure = protocol === 'https:';
  return {
    protocol,
    hostname,
    port: port || (secure ? 443 : 80),
    timeout: limits.headersSeconds * 1000,
    agent: secure ? new HttpsAgent({ rejectUnauthorized: true }) : new HttpAgent(),
    setHost: false,
    // Node would take the name from `Host` as well.
    servername: tlsName(origin) ?? '',
  };
}
