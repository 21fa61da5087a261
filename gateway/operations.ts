import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';

/** What a part of the gateway says of itself. */
export type Health = { well: boolean; says: string };

export type OperationsDeps = {
  /** By name, each asked anew. What is not `needed` is told and does not make the gateway unready. */
  parts: Record<string, { needed: boolean; ask(): Health | Promise<Health> }>;
  /** The page of metrics, in Prometheus' text format. */
  metrics(): Promise<{ type: string; text: string }>;
};

export type Operations = {
  listen(where: { port: number; host: string }): Promise<void>;
  /** Whoever asks from now on hears that no new request should come here. Resolves when they have had time to ask, and can be believed to have. */
  drain(): Promise<void>;
  close(): Promise<void>;
};

/** A balancer that asks every two seconds, and believes the second answer, sends people here for four more. */
export const NOTICE_MS = 5_000;

/** The listener for whoever runs the gateway: a server of its own, so that no request from outside can ever reach it. */
export function createOperations({ parts, metrics }: OperationsDeps): Operations {
  let draining = false;

  const answers: Record<string, (response: ServerResponse) => Promise<void> | void> = {
    '/healthz': response => send(response, 200, 'text/plain; charset=utf-8', 'alive\n'),
    '/readyz': async response => {
      const asked = await Promise.all(
        Object.entries(parts).map(async ([name, part]) => [name, part.needed, await healthOf(part.ask)] as const),
      );
      const ready = !draining && asked.every(([, needed, { well }]) => well || !needed);
      const told = Object.fromEntries(asked.map(([name, , { says }]) => [name, says]));
      send(
        response,
        ready ? 200 : 503,
        'application/json',
        `${JSON.stringify({ ready, ...(draining ? { stopping: true } : {}), ...told })}\n`,
      );
    },
    '/metrics': async response => {
      const { type, text } = await metrics();
      send(response, 200, type, text);
    },
  };

  const server = createServer((request, response) => {
    const answer = request.method === 'GET' || request.method === 'HEAD' ? answers[request.url?.split('?', 1)[0] ?? ''] : undefined;
    if (!answer) return send(response, 404, 'text/plain; charset=utf-8', 'Here are /healthz, /readyz and /metrics.\n');
    Promise.resolve(answer(response)).catch((error: Error) => send(response, 500, 'text/plain; charset=utf-8', `${error.message}\n`));
  });
  return {
    async listen({ port, host }) {
      // Workers of one port share it, unless it is said that this one is nobody else's.
      server.listen({ port, host, exclusive: true });
      await once(server, 'listening');
    },
    drain() {
      draining = true;
      // The port that it gives time to is open, and keeps the process alive.
      return wait(NOTICE_MS, undefined, { ref: false });
    },
    async close() {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function send(response: ServerResponse, status: number, type: string, text: string): void {
  const headers = { 'content-type': type, 'content-length': Buffer.byteLength(text), 'cache-control': 'no-store' };
  response.writeHead(status, headers).end(text);
}

async function healthOf(ask: () => Health | Promise<Health>): Promise<Health> {
  try {
    return await ask();
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    return { well: false, says: message.split('\n', 1)[0] || String(code) };
  }
}
