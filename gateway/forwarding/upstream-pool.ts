import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import {
  type ConnectionOwner,
  type Patience,
  type ResponseHandler,
  UpstreamConnection,
  type UpstreamRequest,
} from './upstream-connection.ts';

/** The connections to one legacy server. How many may be in use is the queue's business (`queue.ts`). */
export type UpstreamPool = {
  /** @returns the connection that carries it, or will once it stands */
  send(request: UpstreamRequest, handler: ResponseHandler): UpstreamConnection;
  /** Ends all of them; whoever waits for an answer hears of it. */
  close(): void;
};

/** The legacy server, and how long is too long, in milliseconds. */
export type PoolOptions = {
  origin: string;
  /** Whose certificate it must have: its own name's, not that of the `Host` header that is forwarded. */
  tls: Tls;
  connections: number;
  connectMs: number;
  headersMs: number;
  bodyMs: number;
};
export type Tls = { servername: string; rejectUnauthorized: true; ca?: string; cert?: string; key?: string };

// Many old servers close a connection after five seconds without saying so.
const IDLE_MS = 4_000;
const SLOWEST_TICK_MS = 1_000;
const TICKS = 20;
// Probes find out about servers that vanished without a word.
const SOCKET = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 };
const MOST_READ = 64 * 1024;

type Read = (count: number, bytes: Buffer) => boolean;

// One for all connections: what is read has been dealt with when reading returns, and none of it is kept.
const lent = Buffer.allocUnsafeSlow(MOST_READ);

/** Opens connections as they are needed and keeps them for the next request, the one used last first. */
export function createUpstreamPool({ origin, tls, connectMs, headersMs, bodyMs }: PoolOptions): UpstreamPool {
  const { protocol, hostname, port } = new URL(origin);
  const secure = protocol === 'https:';
  const where = { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || (secure ? 443 : 80)) };
  const tickMs = Math.max(5, Math.min(SLOWEST_TICK_MS, ...[connectMs, headersMs, bodyMs].map(ms => Math.ceil(ms / TICKS))));
  const ticksIn = (ms: number) => Math.ceil(ms / tickMs);
  const patience: Patience = {
    connect: ticksIn(connectMs),
    upload: ticksIn(bodyMs),
    headers: ticksIn(headersMs),
    body: ticksIn(bodyMs),
    idle: Math.floor(IDLE_MS / tickMs),
  };
  const all = new Set<UpstreamConnection>();
  const free: UpstreamConnection[] = [];
  let clock: NodeJS.Timeout | null = null;
  let session: Buffer | undefined;
  let closed = false;

  const owner: ConnectionOwner = {
    patience,
    tickMs,
    onFree: connection => void free.push(connection),
    onGone(connection) {
      all.delete(connection);
      const place = free.indexOf(connection);
      if (place >= 0) free.splice(place, 1);
      if (all.size > 0 || !clock) return;
      clearInterval(clock);
      clock = null;
    },
  };

  function open(): UpstreamConnection {
    if (closed) throw new Error('the gateway has closed its connections');
    const connection = new UpstreamConnection(secure ? openTls : openTcp, secure ? 'secureConnect' : 'connect', owner);
    all.add(connection);
    clock ??= setInterval(() => {
      for (const one of all) one.tick();
    }, tickMs).unref();
    return connection;
  }

  function openTcp(read: Read): Socket {
    const onread = { buffer: lent, callback: (count: number) => read(count, lent) };
    return connectTcp({ ...where, ...SOCKET, onread });
  }

  function openTls(read: Read): Socket {
    const socket = connectTls({ ...where, ...tls, ...SOCKET, ALPNProtocols: ['http/1.1'], ...(session ? { session } : {}) });
    socket.on('session', (fresh: Buffer) => {
      session = fresh;
    });
    return socket.on('data', (bytes: Buffer) => {
      if (!read(bytes.length, bytes)) socket.pause();
    });
  }

  return {
    send(request, handler) {
      const connection = free.pop() ?? open();
      connection.send(request, handler);
      return connection;
    },
    close() {
      closed = true;
      for (const connection of all) connection.close();
    },
  };
}
