import { createConnection, type Socket } from 'node:net';
import { ask, requestBytes } from '../raw-http.ts';

/**
 * A crowd of hostile clients, in a process of its own so that it slows nobody but the gateway. It is told over IPC whom to annoy, and
 * tells how many of each kind it has lost: connections that the other side has ended.
 */
export type Orders = { port: number; host: string; openPage: string; counts: Record<Kind, number> };
export type Kind = keyof typeof kinds;
/** How many of each kind were connected once all had come, and how many of them are still there. */
export type Count = Record<Kind, { came: number; left: number }>;

type Where = { host: string; openPage: string };
/** What somebody of the kind does first, and then every second. */
type Manners = { first: (where: Where) => Buffer | string; goesOn?: (second: number) => Buffer | string; reads?: false };

const upload = [
  ['X-Forwarded-Proto', 'https'],
  ['Content-Length', '1000000'],
] as const;
const headers = 'Accept: text/html\r\nX-Slow: '.padEnd(400, 'slow ');
const garbage = (length: number, seed: number) => Buffer.from(Array.from({ length }, (_, index) => (index * 7919 + seed * 104_729) & 0xff));

const kinds = {
  'say nothing': { first: () => '' },
  'stop in the first line': { first: () => 'GET /educ' },
  'stop in the headers': { first: ({ host, openPage }) => `GET ${openPage} HTTP/1.1\r\nHost: ${host}\r\nAccept: te` },
  'send headers byte by byte': {
    first: ({ host, openPage }) => `GET ${openPage} HTTP/1.1\r\nHost: ${host}\r\n`,
    goesOn: second => headers[second % headers.length]!,
  },
  'ask once and stay': { first: where => polite(where) },
  'send a body byte by byte': {
    first: ({ host, openPage }) => requestBytes({ method: 'POST', target: openPage, host, headers: upload }),
    goesOn: () => 'a',
  },
  'ask and never read': { first: where => polite(where, 'big'), reads: false },
  'ask far in advance': { first: where => polite(where).repeat(300) },
  'ask and go on with rubbish': {
    first: where => Buffer.concat([Buffer.from(polite(where).repeat(3)), garbage(2_000, where.host.length)]),
  },
  'send rubbish': { first: () => garbage(500, 1) },
} as const satisfies Record<string, Manners>;

const polite = ({ host, openPage }: Where, what = '') =>
  `GET ${openPage}${what} HTTP/1.1\r\nHost: ${host}\r\nX-Forwarded-Proto: https\r\n\r\n`;

type Member = { kind: Kind; socket: Socket };
const GROUP = 25;
const crowd: Member[] = [];

/** Comes in groups, each once the gateway has dealt with the one before: how many can come at once is a question to the processor. */
async function come({ port, host, openPage, counts }: Orders): Promise<void> {
  for (const [kind, count] of Object.entries(counts) as [Kind, number][]) {
    for (let begun = 0; begun < count; begun += 1) {
      crowd.push({ kind, socket: join(kind, port, { host, openPage }) });
      if (begun % GROUP === GROUP - 1) await ask(port, { target: '/', host });
    }
  }
}

function join(kind: Kind, port: number, where: Where): Socket {
  const { first, reads }: Manners = kinds[kind];
  const socket = createConnection(port, '127.0.0.1', () => socket.write(first(where)));
  socket.on('error', () => socket.destroy());
  if (reads === false) socket.pause();
  else socket.on('data', () => {}).on('end', () => socket.end());
  return socket;
}

function goOn(second: number): void {
  for (const { kind, socket } of crowd) {
    const { goesOn }: Manners = kinds[kind];
    if (goesOn && socket.writable) socket.write(goesOn(second));
  }
}

function count(): Partial<Count> {
  const counts: Partial<Count> = {};
  for (const { kind, socket } of crowd) {
    const of = counts[kind] ?? { came: 0, left: 0 };
    counts[kind] = of;
    of.came += 1;
    if (!socket.destroyed) of.left += 1;
  }
  return counts;
}

if (import.meta.main) {
  process.once('message', async (orders: Orders) => {
    await come(orders);
    process.send?.('all here');
    let second = 0;
    setInterval(() => goOn(++second), 1_000);
    process.on('message', () => process.send?.(count()));
  });
  process.once('disconnect', () => process.exit(0));
}
