import { availableParallelism } from 'node:os';
import argon2 from 'argon2';

/**
 * Password hashing with a bounded queue: one hash costs as much as hundreds of proxied pages, so that the 9 o'clock rush waits in
 * line instead of taking the machine (OWASP ASVS 11.4.2: argon2id, 19 MiB, two passes).
 */
export type Hashing = {
  hash(password: string): Promise<string>;
  verify(hash: string | null, password: string): Promise<boolean>;
  sizes(): { running: number; waiting: number };
};

export class HashingBusy extends Error {
  override name = 'HashingBusy';
}

const COST = { type: argon2.argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** A hash at that cost of a password that nobody knows. Written down: to make one at every start takes longer than all the rest of it. */
export const decoy = '$argon2id$v=19$m=19456,p=1,t=2$U7xyqBJK1+F6J+HzS7fTJg$55124SRgdYFknSJ1wbhmCbdx0uQOLYL8tUyfTO3cJ0E';

// Two hashes and the proxying would each have a third of a single processor, and pages would take three times as long.
const WIDTH = Math.min(2, availableParallelism());

/** @param width hashes at once; @param longest how many may wait before the next is refused */
export function createHashing(width = WIDTH, longest = 200): Hashing {
  const waiting: (() => void)[] = [];
  let running = 0;

  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (running >= width) {
      if (waiting.length >= longest) throw new HashingBusy();
      await new Promise<void>(resolve => waiting.push(resolve));
    } else running += 1;
    try {
      return await work();
    } finally {
      // The place is handed on, not given back: a newcomer cannot slip in before those who wait.
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  }

  return {
    hash: password => inTurn(() => argon2.hash(password, COST)),
    // Nobody there still costs one hash, so that the answer's time does not tell who exists.
    async verify(hash, password) {
      const right = await inTurn(() => argon2.verify(hash ?? decoy, password));
      return hash !== null && right;
    },
    sizes: () => ({ running, waiting: waiting.length }),
  };
}
