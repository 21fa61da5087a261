import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { OutboxState } from '#store/outbox-queue.ts';
import type { Counts } from './counts.ts';
import type { Upstream } from './forwarding/upstreams.ts';

/** What the page of metrics is made of; all of it is looked at when somebody asks for the page, and not before. */
export type Sources = {
  counts: Counts;
  feed: { staleFor(): number; position(): number };
  /** Null if the database did not say in time. */
  outbox(): Promise<readonly OutboxState[] | null>;
  upstreams(): readonly Upstream[];
  hashing: { sizes(): { running: number; waiting: number } };
  liveConnections(): number;
  catalogue(): { well: boolean; at: number; checksum: string };
  /** Lines of the access log that were given up because the disk could not keep up. */
  linesLost(): number;
  /** Null when there is none. */
  redisAway: (() => boolean) | null;
  now(): number;
};

/** Builds the page. Labels name a service, a site, a legacy server or a reason; nothing in them ever comes from a person. */
export function createMetrics(sources: Sources): () => Promise<{ type: string; text: string }> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const fillings = [countRequests, measureUpstreams, measureProcess].map(one => one(registry, sources));
  const fillOutbox = measureOutbox(registry, sources);
  return async () => {
    const outbox = await sources.outbox();
    // From here to the text nothing waits, so that two who ask at once each get a whole page.
    fillOutbox(outbox);
    for (const fill of fillings) fill();
    const text = registry.metrics();
    return { type: registry.contentType, text: await text };
  };
}

type Value = readonly [value: number, ...labels: string[]];

/** One metric and its lines; a line without a value is left out. */
function metric(registry: Registry, kind: 'gauge' | 'counter', name: string, help: string, labelNames: string[] = []) {
  const options = { name, help, labelNames, registers: [registry] };
  const made = kind === 'gauge' ? new Gauge(options) : new Counter(options);
  return (lines: Iterable<Value>) => {
    made.reset();
    for (const [value, ...labels] of lines) made.inc(Object.fromEntries(labelNames.map((label, index) => [label, labels[index]!])), value);
  };
}

function countRequests(registry: Registry, { counts }: Sources): () => void {
  const counter = (name: string, help: string, labels: string[]) => metric(registry, 'counter', name, help, labels);
  const requests = counter('portal_requests_total', 'Requests for pages, by what was decided.', ['site', 'service', 'outcome']);
  const decisions = counter('portal_decisions_total', 'The same, by the reason of the decision.', ['site', 'service', 'reason']);
  const answers = counter('portal_answers_total', 'Answers; those of the portal itself without a site.', ['site', 'service', 'status']);
  const seen = (value: Value) => value[0] > 0;
  return () => {
    const rows = counts.rows();
    const lines = (of: (row: (typeof rows)[number]) => [string, number][]) =>
      rows.flatMap(row => of(row).map(([label, value]): Value => [value, row.site, row.service, label])).filter(seen);
    requests(lines(({ outcomes }) => Object.entries(outcomes)));
    decisions(lines(({ reasons }) => Object.entries(reasons)));
    answers(lines(({ classes }) => classes.map((value, first) => [`${first}xx`, value])));
  };
}

function measureUpstreams(registry: Registry, { upstreams }: Sources): () => void {
  const gauge = (name: string, help: string) => metric(registry, 'gauge', name, help, ['upstream']);
  const up = gauge('portal_upstream_up', '0 while a legacy server is not asked because it failed several times in a row.');
  const inUse = gauge('portal_upstream_in_use', 'Requests that a legacy server is answering.');
  const waiting = gauge('portal_upstream_waiting', 'Requests that wait for a connection to a legacy server.');
  return () => {
    const all = upstreams();
    up(all.map(one => [one.well() ? 1 : 0, one.origin]));
    inUse(all.map(one => [one.queue.sizes().inside, one.origin]));
    waiting(all.map(one => [one.queue.sizes().waiting, one.origin]));
  };
}

function measureProcess(registry: Registry, { feed, hashing, liveConnections, catalogue, linesLost, redisAway }: Sources): () => void {
  const gauge = (name: string, help: string, labels: string[] = []) => metric(registry, 'gauge', name, help, labels);
  const lag = gauge('portal_feed_lag_seconds', 'Seconds since the last good read of the changes began.');
  const position = gauge('portal_feed_position', 'Number of the last change that this process judges by.');
  const running = gauge('portal_hashing_running', 'Passwords that are being hashed.');
  const waiting = gauge('portal_hashing_waiting', 'Passwords that wait for it.');
  const live = gauge('portal_live_connections', 'Open WebSockets and event streams.');
  const well = gauge('portal_catalogue_well', '0 if the catalogue file could not be used when it was last read.');
  const at = gauge('portal_catalogue_read_seconds', 'When the catalogue that is served was read, in seconds since 1970.');
  const info = gauge('portal_catalogue_info', 'The checksum of the catalogue that is served.', ['checksum']);
  const lost = metric(registry, 'counter', 'portal_access_log_lost_total', 'Lines of the access log that the disk was too slow for.');
  const redis = redisAway && gauge('portal_redis_up', '0 while Redis cannot be reached.');
  return () => {
    lag([[feed.staleFor() / 1000]]);
    position([[feed.position()]]);
    running([[hashing.sizes().running]]);
    waiting([[hashing.sizes().waiting]]);
    live([[liveConnections()]]);
    well([[catalogue().well ? 1 : 0]]);
    at([[catalogue().at / 1000]]);
    info([[1, catalogue().checksum]]);
    lost([[linesLost()]]);
    if (redisAway && redis) redis([[redisAway() ? 0 : 1]]);
  };
}

function measureOutbox(registry: Registry, { now }: Sources): (states: readonly OutboxState[] | null) => void {
  const gauge = (name: string, help: string) => metric(registry, 'gauge', name, help, ['channel']);
  const up = metric(registry, 'gauge', 'portal_database_up', '0 if the database did not answer in time.');
  const waiting = gauge('portal_outbox_waiting', 'Messages that wait to be sent.');
  const oldest = gauge('portal_outbox_oldest_seconds', 'Age of the oldest of them.');
  const failed = gauge('portal_outbox_failed', 'Messages of the last day that were given up.');
  return states => {
    up([[states === null ? 0 : 1]]);
    const known = states ?? [];
    waiting(known.map(one => [one.waiting, one.channel]));
    oldest(known.map(one => [one.oldest === null ? 0 : Math.max(0, now() - one.oldest) / 1000, one.channel]));
    failed(known.map(one => [one.failed, one.channel]));
  };
}
