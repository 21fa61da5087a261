import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyRequest } from 'fastify';

/** Answers that outlive the moment: WebSockets and event streams. Each is judged again until it ends. */
export type LiveConnections = {
  /** @param answer the connection of a WebSocket, or the response that is an event stream */
  add(asked: Asked, answer: Live): void;
  /** Judges all of them again once what runs now has ended: an import makes hundreds of changes at once. Each second it happens anyway. */
  reviewSoon(): void;
  size(): number;
  /** Leaves all to another's judgement, these and whatever is added later, as `findAgain` sees them there; ends those it does not find. */
  moveTo(other: LiveConnections, findAgain: (asked: Asked) => Asked | null): void;
  /** Ends all of them, once what was said has been sent: nobody waits for an answer that has no end. */
  close(): void;
};
/** What is judged again: who asked, and for which page. The request itself keeps the page that it was let through to. */
export type Asked = Pick<FastifyRequest, 'headers' | 'url' | 'site' | 'page'>;
type Live = Duplex | ServerResponse;

const LAST_WORDS_MS = 1_000;

/** @param stillAllowed asks the guard the question of the request's beginning again; a failure to answer is a no. */
export function createLiveConnections(stillAllowed: (asked: Asked) => Promise<boolean>, everyMs = 1_000): LiveConnections {
  const live = new Map<Live, Asked>();
  let moveOn: LiveConnections['add'] | null = null;

  const review = () => {
    for (const [answer, asked] of live) {
      stillAllowed(asked).then(
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
    add(asked, answer) {
      if (answer.destroyed) return;
      if (moveOn) return moveOn(asked, answer);
      live.set(answer, asked);
      answer.once('close', () => live.delete(answer));
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
    moveTo(other, findAgain) {
      clearInterval(timer);
      moveOn = (asked, answer) => {
        const there = findAgain(asked);
        if (there) other.add(there, answer);
        else sayGoodbye(answer);
      };
      for (const [answer, asked] of live) moveOn(asked, answer);
      live.clear();
    },
    close() {
      clearInterval(timer);
      for (const answer of live.keys()) sayGoodbye(answer);
    },
  };
}

/** The end of an answer as its receiver should see it: not a broken connection, but neither one that waits for ever. */
function sayGoodbye(answer: Live): void {
  // The legacy server may go on talking for a moment.
  answer.on('error', () => answer.destroy()).end();
  setTimeout(() => answer.destroy(), LAST_WORDS_MS).unref();
}
