import { request } from 'undici';
import type { Slot, Target, Visit } from './load.ts';

/** What the upstream counted: requests by the user it was told is asking, and the headers of the last one. */
export type Seen = { seen: Record<string, number>; last: Record<string, string | string[]> };

/** Names beyond ASCII come percent-encoded, and are read here as a legacy page would. */
export async function readSeen(port: number): Promise<Seen> {
  const { seen, last } = (await (await request(`http://127.0.0.1:${port}/seen`)).body.json()) as Seen;
  return { last, seen: Object.fromEntries(Object.entries(seen).map(([user, count]) => [decodeURIComponent(user), count])) };
}

/** One sentence for everything in a slot that was not a plain 200. */
export function faultsOf(name: string, slot: Slot): string[] {
  const faults = Object.entries(slot.statuses)
    .filter(([status]) => status !== '200')
    .map(([status, count]) => `${name}: ${count} answers with status ${status}`);
  for (const kind of ['errors', 'timeouts', 'lost'] as const) if (slot[kind] > 0) faults.push(`${name}: ${slot[kind]} ${kind}`);
  if (slot.errors > 0) faults.push(`${name}: the last error was ${slot.lastError}`);
  if (!slot.statuses['200']) faults.push(`${name}: no answer with status 200`);
  return faults;
}

/** A figure counts only if every answer came from the upstream, and it was told of exactly those who asked, each as often as they were answered. */
export function identityFaults(name: string, users: Record<string, number>, before: Seen, after: Seen): string[] {
  const faults: string[] = [];
  const told = (user: string) => (after.seen[user] ?? 0) - (before.seen[user] ?? 0);
  for (const user of Object.keys(after.seen))
    if (!(user in users) && told(user) > 0) faults.push(`${name}: the upstream was told of "${user}" ${told(user)} times, who never asked`);
  for (const [user, answers] of Object.entries(users))
    if (told(user) < answers)
      faults.push(`${name}: ${answers} answers to "${user}", of whom the upstream was told only ${told(user)} times`);
  return faults;
}

/** Whether a gateway is worth measuring: it refuses whoever has no session, and says who is there whatever the client says. */
export async function gateFaults({ port, visits }: Target, upstreamPort: number): Promise<string[]> {
  const [visit] = visits;
  if (!visit) return ['nobody is signed in'];
  const before = await readSeen(upstreamPort);
  const refused = await ask(port, withoutCookie(visit));
  const after = await readSeen(upstreamPort);
  const admitted = await ask(port, visit);
  const { last } = await readSeen(upstreamPort);

  const faults: string[] = [];
  if (refused !== 302 && refused !== 401) faults.push(`without a session the answer is ${refused}, not 302 or 401`);
  if (JSON.stringify(before.seen) !== JSON.stringify(after.seen)) faults.push('a request without a session reached the upstream');
  if (admitted !== 200) faults.push(`signed in, the answer is ${admitted}`);
  const told = decodeURIComponent(String(last['remote-user'] ?? ''));
  if (told !== visit.user) faults.push(`the upstream was told of "${told}", not of "${visit.user}"`);
  if (last['portal-service'] !== visit.service) faults.push('the upstream was not told which service it is');
  if (String(last.cookie ?? '').includes(visit.headers.cookie!)) faults.push('the gateway passed its own cookie on');
  return faults;
}

/** Whether a gated peer is gated, and lets this session through. */
export async function peerFaults({ port, visits }: Target): Promise<string[]> {
  const refused = await ask(port, withoutCookie(visits[0]!));
  const admitted = await ask(port, visits[0]!);
  const faults: string[] = [];
  if (![302, 401, 403].includes(refused)) faults.push(`without a session the answer is ${refused}, not 302, 401 or 403`);
  if (admitted !== 200) faults.push(`signed in, the answer is ${admitted}`);
  return faults;
}

function withoutCookie({ headers: { cookie: _cookie, ...headers }, ...visit }: Visit): Visit {
  return { ...visit, headers };
}

async function ask(port: number, { path, headers }: Visit): Promise<number> {
  const { statusCode, body } = await request(`http://127.0.0.1:${port}${path}`, { headers });
  await body.dump();
  return statusCode;
}
