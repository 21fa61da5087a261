import type { FastifyRequest } from 'fastify';

/** Connections that outlive their request: WebSockets and event streams. Each is judged again until it ends. */
export type LiveConnections = {
  add(request: FastifyRequest, end: () => void): void;
  /** Judges all of them again, now; called after every change and once a second, since time ends rights too. */
  review(): void;
  size(): number;
  close(): void;
};

/** @param stillAllowed asks the guard the question of the request's beginning again; a failure to answer is a no. */
export function createLiveConnections(stillAllowed: (request: FastifyRequest) => Promise<boolean>, everyMs = 1_000): LiveConnections {
  const live = new Map<FastifyRequest, () => void>();

  const end = (request: FastifyRequest) => {
    live.get(request)?.();
    live.delete(request);
  };
  const review = () => {
    for (const request of live.keys()) {
      stillAllowed(request).then(
        allowed => {
          if (!allowed) end(request);
        },
        () => end(request),
      );
    }
  };
  const timer = setInterval(review, everyMs).unref();

  return {
    add(request, endIt) {
      live.set(request, endIt);
      request.raw.socket.once('close', () => live.delete(request));
    },
    review,
    size: () => live.size,
    close: () => clearInterval(timer),
  };
}
