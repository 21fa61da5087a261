import { request } from 'undici';
import type { Slot, Target } from './load.ts';

/** What the upstream counted: requests by the user it was told is asking, and the headers of the last one. */
export type Seen = { seen: Record<string, number>; last: Record<string, string | string[]> };

/** Who the gateway is to say is there, with which of its own cookies, for which service. */
export type Expected = { user: string; service: string; cookie: string };

export async function readSeen(port: number): Promise<Seen> {
  return (await (await request(`http://127.0.0.1:${port}/seen`)).body.json()) as Seen;
}

/** One sentence for everything in a slot that was not a plain 200. */
export function faultsOf(name: string, slot: Slot): string[] {
  const faults = Object.entries(slot.statuses)
    .filter(([status]) => status !== '200')
    .map(([status, count]) => `${name}: ${count} answers with status ${status}`);
  for (const kind of ['errors', 'timeouts', 'lost'] as const) if (slot[kind] > 0) faults.push(`${name}: ${slot[kind]} ${kind}`);
  if (!slot.statuses['200']) faults.push(`${name}: no answer with status 200`);
  return faults;
}

/** A figure counts only if every answer came from the upstream, and the upstream was told of this user and nobody else meanwhile. */
export function identityFaults(name: string, user: string, requests: number, before: Seen, after: Seen): string[] {
  const faults: string[] = [];
  for (const [other, count] of Object.entries(after.seen)) {
    const more = count - (before.seen[other] ?? 0);
    if (other !== user && more > 0) faults.push(`${name}: the upstream was told of "${other}" ${more} times, and only "${user}" asked`);
  }
  const told = (after.seen[user] ?? 0) - (before.seen[user] ?? 0);
  if (told < requests) faults.push(`${name}: ${requests} answers, but the upstream was told of "${user}" only ${told} times`);
  return faults;
}

/** Whether a gateway is worth measuring: it refuses whoever has no session, and says who is there whatever the client says. */
export async function gateFaults(target: Target, upstreamPort: number, expected: Expected): Promise<string[]> {
  const before = await readSeen(upstreamPort);
  const { cookie: _cookie, ...withoutCookie } = target.headers;
  const refused = await ask({ ...target, headers: withoutCookie });
  const after = await readSeen(upstreamPort);
  const admitted = await ask(target);
  const { last } = await readSeen(upstreamPort);

  const faults: string[] = [];
  if (refused !== 302 && refused !== 401) faults.push(`without a session the answer is ${refused}, not 302 or 401`);
  if (JSON.stringify(before.seen) !== JSON.stringify(after.seen)) faults.push('a request without a session reached the upstream');
  if (admitted !== 200) faults.push(`signed in, the answer is ${admitted}`);
  if (last['remote-user'] !== expected.user) faults.push(`the upstream was told of "${last['remote-user']}", not of "${expected.user}"`);
  if (last['portal-service'] !== expected.service) faults.push('the upstream was not told which service it is');
  if (String(last.cookie ?? '').includes(expected.cookie)) faults.push('the gateway passed its own cookie on');
  return faults;
}

/** Whether a gated peer is gated, and lets this session through. */
export async function peerFaults(target: Target): Promise<string[]> {
  const { cookie: _cookie, ...withoutCookie } = target.headers;
  const refused = await ask({ ...target, headers: withoutCookie });
  const admitted = await ask(target);
  const faults: string[] = [];
  if (![302, 401, 403].includes(refused)) faults.push(`without a session the answer is ${refused}, not 302, 401 or 403`);
  if (admitted !== 200) faults.push(`signed in, the answer is ${admitted}`);
  return faults;
}

async function ask({ port, path, headers }: Target): Promise<number> {
  const { statusCode, body } = await request(`http://127.0.0.1:${port}${path}`, { headers });
  await body.dump();
  return statusCode;
}
