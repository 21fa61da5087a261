import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { expect } from 'vitest';
import type { Browser } from '#tests/app.ts';
import { sendRaw } from '#tests/raw-http.ts';

/** Asks a database beside the gateway that uses it, so that it is the gateway that finds it as a fault left it. */
export type Look = (sql: string) => Promise<Record<string, unknown>[]>;

export function lookIntoFile(file: string): Look {
  return async sql => {
    const database = new DatabaseSync(file, { readOnly: true });
    try {
      return database.prepare(sql).all();
    } finally {
      database.close();
    }
  };
}

export function lookIntoServer(url: string): Look {
  return async sql => {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => {});
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  };
}

/** What a round asks for: a tick that comes and goes, and an end that no other round asks for. */
export function ticksOf(round: number) {
  const lastDay = Temporal.PlainDate.from('2030-01-01').add({ days: round });
  const ends = lastDay.add({ days: 1 }).toZonedDateTime('Europe/London').epochMilliseconds;
  const form = { services: ['trailblazer', ...(round % 2 ? ['mopp'] : [])], 'ends-trailblazer': lastDay.toString() };
  const rules = [...(round % 2 ? ['r:mopp null'] : []), `r:trailblazer ${ends}`];
  return { ends, form, rules };
}

/** What somebody may open, and the version that every change of it moves on. */
export async function accessOf(look: Look, person: number) {
  const rules = await look(`select v1, ends_at from rules where v0 = 'u:${person}' and revoked_at is null order by v1`);
  const [membership] = await look(`select version from memberships where person_id = ${person}`);
  return { rules: rules.map(({ v1, ends_at }) => `${v1} ${ends_at}`), version: Number(membership?.version) };
}

/** How many rows of a round's change are in the log, and how many messages go with them. */
export async function rowsOf(look: Look, { ends }: ReturnType<typeof ticksOf>) {
  const all = await look("select id, data from activity where kind = 'access-changed'");
  const activity = all.filter(({ data }) => String(data).includes(`${ends}`));
  let messages = 0;
  for (const { id } of activity)
    messages += (await look(`select id from outbox where template = 'access-changed' and activity_id = ${id}`)).length;
  return { activity: activity.length, messages };
}

/** All of a round's change is there, or none of it; says which. */
export async function expectWholeOrNothing(
  look: Look,
  person: number,
  ticks: ReturnType<typeof ticksOf>,
  before: Awaited<ReturnType<typeof accessOf>>,
): Promise<boolean> {
  const rows = await rowsOf(look, ticks);
  const made = rows.activity > 0;
  const all = { rules: ticks.rules, version: before.version + 1, activity: 1, messages: 1 };
  expect({ ...(await accessOf(look, person)), ...rows }).toEqual(made ? all : { ...before, activity: 0, messages: 0 });
  return made;
}

export type Page = { port: number; url: string; html: string };

/** Sends a round's form of the page of somebody's rights. The first line of the answer, empty when there was none. */
export function sendTicks(admin: Browser, { port, url, html }: Page, { form }: ReturnType<typeof ticksOf>) {
  const hidden = (name: string) => new RegExp(`name="${name}" value="([^"]*)"`).exec(html)?.[1] ?? '';
  const { services, ...ends } = form;
  const body = new URLSearchParams({ _csrf: hidden('_csrf'), version: hidden('version'), ...ends });
  for (const service of ['trailblazer', 'mopp']) body.append('shown', service);
  for (const service of services) body.append('services', service);
  const { host, hostname, pathname } = new URL(url);
  const cookie = [...(admin.cookies.get(hostname) ?? [])].map(([name, value]) => `${name}=${value}`).join('; ');
  const lines = [
    `POST ${pathname} HTTP/1.1`,
    `Host: ${host}`,
    `Cookie: ${cookie}`,
    'Connection: close',
    'Content-Type: application/x-www-form-urlencoded',
    `Content-Length: ${body.toString().length}`,
  ];
  return sendRaw(port, `${lines.join('\r\n')}\r\n\r\n${body}`).then(
    ({ text }) => text.split('\r\n', 1)[0] ?? '',
    () => '',
  );
}
