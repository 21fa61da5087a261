import { randomInt } from 'node:crypto';
import { type RequestOptions, request as sendHttp } from 'node:http';
import { request as sendHttps } from 'node:https';
import type { HealthRules } from '#config/catalogue.ts';

/** The way to a legacy server, and the host that it is told; null for that of the site. */
export type Way = { direct: RequestOptions; toldHost: string | null };

const SOON_MS = 1_000;
const JITTER = 0.2;
/** From 0 to 1. */
const chance = () => randomInt(1_000) / 1_000;

/**
 * Asks a legacy server again and again whether it is well, over a connection of its own, so that neither a full pool nor a connection
 * that still stands from better days decides it. After a bad answer it asks every second, so that the server is back soon.
 */
export function startHealthCheck(rules: HealthRules, upstream: Way, found: (well: boolean) => void): { stop(): void } {
  const everyMs = rules.everySeconds * 1000;
  const stopped = new AbortController();
  let timer = later(Math.min(SOON_MS, everyMs) * chance());

  // Several processes, or several servers, must not all ask at the same moment.
  function later(ms: number): NodeJS.Timeout {
    return setTimeout(() => void check(), ms * (1 + JITTER * (2 * chance() - 1))).unref();
  }

  async function check(): Promise<void> {
    const signal = AbortSignal.any([stopped.signal, AbortSignal.timeout(everyMs)]);
    // Node throws at a certificate that it cannot use.
    const well = await isWell(rules, upstream, signal).catch(() => false);
    if (stopped.signal.aborted) return;
    found(well);
    timer = later(well ? everyMs : Math.min(SOON_MS, everyMs));
  }

  return {
    stop() {
      clearTimeout(timer);
      stopped.abort();
    },
  };
}

/** Whether it answers as it should before `signal` says that this was too long. Of the answer only the status is read. */
function isWell(rules: HealthRules, { direct, toldHost }: Way, signal: AbortSignal): Promise<boolean> {
  const site = new URL(rules.site);
  const headers = {
    host: toldHost ?? site.host,
    'x-forwarded-host': site.host,
    'x-forwarded-proto': site.protocol.slice(0, -1),
    'user-agent': 'services-portal-health-check',
  };
  return new Promise(resolve => {
    const send = direct.protocol === 'https:' ? sendHttps : sendHttp;
    const question = send({ ...direct, method: 'GET', path: rules.path, headers, signal });
    question.once('response', answer => {
      resolve(rules.status === null ? (answer.statusCode ?? 500) < 500 : answer.statusCode === rules.status);
      question.destroy();
    });
    question.once('socket', socket => socket.unref());
    question.on('error', () => {});
    // The last word in any case: refused, broken off, or too late.
    question.once('close', () => resolve(false));
    question.end();
  });
}
