import { Agent as HttpAgent, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { isIP } from 'node:net';
import type { Catalogue, HealthRules, UpstreamRules } from '#config/catalogue.ts';
import type { Settings } from '#config/settings.ts';
import type { ProblemCode } from '../problems.ts';
import { type Condition, createCondition } from './condition.ts';
import { startHealthCheck, type Way } from './health-check.ts';
import { createQueue, type Queue } from './queue.ts';
import { createUpstreamPool, type PoolOptions, type Tls, type UpstreamPool } from './upstream-pool.ts';

/** A legacy server as the gateway uses it: its connections, who waits for one, and whether it is worth asking at all. */
export type Upstream = {
  origin: string;
  /** The host it is told instead of the site's; null for the site's. */
  toldHost: string | null;
  pool: UpstreamPool;
  /** How the pool reaches it; the other engine has a pool of its own. */
  reached: PoolOptions;
  /** How to reach it without the pool: for a connection that becomes a WebSocket and never comes back. */
  direct: RequestOptions & { servername?: string };
  queue: Queue;
  longestWaitMs: number;
  /** How long it, or a browser, may be silent in the middle of a body. */
  silenceMs: number;
  /** Why it should not be asked now, so that nobody waits in vain; null when it may be. */
  refusal(): ProblemCode | null;
  /** Whether it has answered of late; asked by those who only look. */
  well(): boolean;
  answered(): void;
  /** It could not be reached, or said nothing in time. */
  failed(): void;
  /** Ends its health check, if it has one: nobody new will ask for it. */
  endCheck(): void;
  /** Ends its connections as well. */
  close(): Promise<void>;
};

export type Upstreams = { of(origin: string): Upstream; all(): readonly Upstream[]; endChecks(): void; close(): Promise<void> };

type Limits = Settings['upstream'];

type Options = {
  now?: () => number;
  /** Told whenever a health check finds something else than before. */
  onHealth?: (origin: string, well: boolean) => void;
};

const SWEEP_MS = 1_000;

/** Each legacy server has connections and limits of its own, so that one that hangs cannot slow another. */
export function createUpstreams(
  rules: Catalogue['upstreams'],
  limits: Limits,
  { now = () => performance.now(), onHealth = () => {} }: Options = {},
): Upstreams {
  const upstreams = new Map<string, Upstream>();
  const sweep = setInterval(() => {
    for (const { queue, longestWaitMs } of upstreams.values()) queue.giveUpBefore(now() - longestWaitMs, 'upstream-slow');
  }, SWEEP_MS).unref();
  return {
    of(origin) {
      const known = upstreams.get(origin);
      if (known) return known;
      const made = createUpstream(origin, rules.get(origin) ?? null, limits, now, well => onHealth(origin, well));
      upstreams.set(origin, made);
      return made;
    },
    all: () => [...upstreams.values()],
    endChecks() {
      for (const upstream of upstreams.values()) upstream.endCheck();
    },
    async close() {
      clearInterval(sweep);
      await Promise.all([...upstreams.values()].map(upstream => upstream.close()));
    },
  };
}

function createUpstream(
  origin: string,
  rules: UpstreamRules | null,
  usual: Limits,
  now: () => number,
  onHealth: (well: boolean) => void,
): Upstream {
  const limits = {
    connectSeconds: rules?.connectSeconds ?? usual.connectSeconds,
    headersSeconds: rules?.headersSeconds ?? usual.headersSeconds,
    bodySeconds: rules?.bodySeconds ?? usual.bodySeconds,
    connections: rules?.connections ?? usual.connections,
  };
  const tls = tlsOptions(origin, rules);
  const toldHost = rules?.host === 'upstream' ? new URL(origin).host : null;
  const direct = directOptions(origin, limits, tls);
  const reached: PoolOptions = {
    ...{ origin, tls, connections: limits.connections },
    connectMs: limits.connectSeconds * 1000,
    headersMs: limits.headersSeconds * 1000,
    bodyMs: limits.bodySeconds * 1000,
  };
  const pool = createUpstreamPool(reached);
  const queue = createQueue(limits.connections, now);
  const condition = createCondition(now, () => queue.giveUpBefore(now(), 'upstream-unreachable'));
  const health = rules?.health ? checkHealth(rules.health, { direct, toldHost }, condition, onHealth) : null;
  return {
    ...{ origin, toldHost, direct, pool, reached, queue },
    longestWaitMs: (limits.connectSeconds + limits.headersSeconds) * 1000,
    silenceMs: limits.bodySeconds * 1000,
    refusal: () => (condition.refuses() ? 'upstream-unreachable' : null),
    well: condition.well,
    answered: condition.answered,
    failed: condition.failed,
    endCheck: () => health?.stop(),
    async close() {
      health?.stop();
      pool.close();
    },
  };
}

function checkHealth(rules: HealthRules, upstream: Way, condition: Condition, onHealth: (well: boolean) => void) {
  let before = true;
  return startHealthCheck(rules, upstream, well => {
    condition.checked(well);
    if (well !== before) onHealth(well);
    before = well;
  });
}

/** Certificates are always verified. TLS has no names for IP addresses: those are compared with the certificate without one. */
function tlsOptions(origin: string, rules: UpstreamRules | null): Tls {
  const { hostname } = new URL(origin);
  const ownName = isIP(bare(hostname)) ? '' : hostname;
  return {
    servername: rules?.serverName ?? ownName,
    rejectUnauthorized: true,
    ...(rules?.ca ? { ca: rules.ca } : {}),
    ...(rules?.certificate && rules.key ? { cert: rules.certificate, key: rules.key } : {}),
  };
}

/** An address of IPv6 stands in brackets in a URL, and nowhere else. */
const bare = (hostname: string) => hostname.replace(/^\[|\]$/g, '');

function directOptions(origin: string, limits: Limits, tls: Tls): Upstream['direct'] {
  const { protocol, hostname, port } = new URL(origin);
  const secure = protocol === 'https:';
  return {
    protocol,
    hostname: bare(hostname),
    port: port || (secure ? 443 : 80),
    timeout: limits.headersSeconds * 1000,
    agent: secure ? new HttpsAgent(tls) : new HttpAgent(),
    setHost: false,
    // Node would take the name from `Host` as well.
    servername: tls.servername,
  };
}
