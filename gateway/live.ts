import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyRequest } from 'fastify';

/** Answers that outlive the moment: WebSockets and event streams. Each is judged again until it ends. */
export type LiveConnections = {
  /** @param answer the connection of a WebSocket, or the response that is an event stream */
  add(request: FastifyRequest, answer: Live): void;
  /** Judges all of them again once what runs now has ended: an import makes hundreds of changes at once. Each second it happens anyway. */
  reviewSoon(): void;
  size(): number;
  /** Leaves those that `goesOn` picks to another's judgement, and ends the others; so too whatever is added from now on. */
  moveTo(other: LiveConnections, goesOn: (request: FastifyRequest) => boolean): void;
  /** Ends all of them, once what was said has been sent: nobody waits for an answer that has no end. */
  close(): void;
};
type Live = Duplex | ServerResponse;

const LAST_WORDS_MS = 1_000;

/** @param stillAllowed asks the guard the question of the request's beginning again; a failure to answer is a no. */
export function createLiveConnections(stillAllowed: (request: FastifyRequest) => Promise<boolean>, everyMs = 1_000): LiveConnections {
  const live = new Map<FastifyRequest, Live>();
  // Once these were moved: where to, for whoever was judged before and comes to be long-lived only now.
  let moved: ((request: FastifyRequest, answer: Live) => void) | null = null;

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
      if (moved) return moved(request, answer);
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
    moveTo(other, goesOn) {
      moved = (request, answer) => (goesOn(request) ? other.add(request, answer) : sayGoodbye(answer));
      for (const [request, answer] of live) moved(request, answer);
      live.clear();
    },
    close() {
      clearInterval(timer);
      for (const answer of live.values()) sayGoodbye(answer);
    },
  };
}

/** The end of an answer as its receiver should see it: not a broken connection, but neither one that waits for ever. */
function sayGoodbye(answer: Live): void {
  // The legacy server may go on talking for a moment.
  answer.on('error', () => answer.destroy()).end();
  setTimeout(() => answer.destroy(), LAST_WORDS_MS).unref();
}
