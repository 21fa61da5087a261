/**
 * Who may use a legacy server's connections now, and who waits for one. No visitor gets more than a share, of the connections and of
 * the places to wait, so that whoever sends or reads slowly, on purpose or not, keeps nobody else away.
 */
export type Queue = {
  /** Begins the request now or when its turn comes; false if too many wait already. */
  enter(guest: Guest): boolean;
  /** It has its answer, or will have none. Harmless when said twice. */
  leave(guest: Guest): void;
  /** Those who came before that instant and still wait are told that they wait in vain. */
  giveUpBefore(instant: number): void;
  sizes(): { inside: number; waiting: number };
};

export type Guest = {
  /** Whose request it is: the id of a session, or 0 for all who are nobody in particular. */
  visitor: number;
  since: number;
  begin(): void;
  giveUp(): void;
};

const WAITING_PER_CONNECTION = 10;
const SHARE = 0.8;
// As many as a browser opens to one host, and some more.
const LEAST_SHARE = 8;

export function createQueue(connections: number, now: () => number): Queue {
  const share = Math.min(connections, Math.max(LEAST_SHARE, Math.ceil(connections * SHARE)));
  const inside = createCrowd(connections, share);
  const waiting = createCrowd(connections * WAITING_PER_CONNECTION, share * WAITING_PER_CONNECTION);

  function admitNext(): void {
    for (const guest of waiting.guests()) {
      if (!inside.hasRoomFor(guest)) continue;
      waiting.remove(guest);
      inside.add(guest);
      // Not at once: this may be said from within undici's parser, which must not be asked for anything meanwhile.
      queueMicrotask(() => guest.begin());
      return;
    }
  }

  return {
    enter(guest) {
      if (inside.hasRoomFor(guest)) {
        inside.add(guest);
        guest.begin();
        return true;
      }
      if (!waiting.hasRoomFor(guest)) return false;
      guest.since = now();
      waiting.add(guest);
      return true;
    },
    leave(guest) {
      if (!waiting.remove(guest) && inside.remove(guest)) admitNext();
    },
    giveUpBefore(instant) {
      for (const guest of waiting.guests()) {
        // In order of arrival: whoever follows has waited less.
        if (guest.since > instant) return;
        waiting.remove(guest);
        guest.giveUp();
      }
    },
    sizes: () => ({ inside: inside.guests().size, waiting: waiting.guests().size }),
  };
}

/** So many at most, and so many of one visitor. */
function createCrowd(most: number, mostOfOne: number) {
  const guests = new Set<Guest>();
  const counts = new Map<number, number>();
  return {
    guests: () => guests,
    hasRoomFor: ({ visitor }: Guest) => guests.size < most && (counts.get(visitor) ?? 0) < mostOfOne,
    add(guest: Guest) {
      guests.add(guest);
      counts.set(guest.visitor, (counts.get(guest.visitor) ?? 0) + 1);
    },
    remove(guest: Guest): boolean {
      if (!guests.delete(guest)) return false;
      const left = (counts.get(guest.visitor) ?? 0) - 1;
      if (left > 0) counts.set(guest.visitor, left);
      else counts.delete(guest.visitor);
      return true;
    },
  };
}
