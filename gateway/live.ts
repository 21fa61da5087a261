import type { Stream } from 'node:stream';
import type { FastifyRequest } from 'fastify';

/** Answers that outlive the moment: WebSockets and event streams. Each is judged again until it ends. */
export type LiveConnections = {
  /** @param answer the connection of a WebSocket, or the response that is an event stream */
  add(request: FastifyRequest, answer: Live): void;
  /** Judges all of them again once what runs now has ended: an import makes hundreds of changes at once. Each second it happens anyway. */
  reviewSoon(): void;
  size(): number;
  /** Ends all of them: nobody waits for an answer that has no end. */
  close(): void;
};
type Live = Stream & { destroyed: boolean; destroy(): void };

/** @param stillAllowed asks the guard the question of the request's beginning again; a failure to answer is a no. */
export function createLiveConnections(stillAllowed: (request: FastifyRequest) => Promise<boolean>, everyMs = 1_000): LiveConnections {
  const live = new Map<FastifyRequest, Live>();

  const review = () => {
    for (const [request, answer] of live) {
      stillAllowed(request).then(
        allowed => {
          if (!allowed) answer.destroy();
        },
        () => answer.destroy(),
      );
    }
  };
  let due = false;
  const timer = setInterval(review, everyMs).unref();

  return {
    add(request, answer) {
      if (answer.destroyed) return;
      live.set(request, answer);
      answer.once('close', () => live.delete(request));
    },
    reviewSoon() {
      if (due) return;
      due = true;
      queueMicrotask(() => {
        due = false;
        review();
      });
    },
    size: () => live.size,
    close() {
      clearInterval(timer);
      for (const answer of live.values()) answer.destroy();
    },
  };
}
