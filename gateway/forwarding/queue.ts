/**
 * Who may use a legacy server's connections now, and who waits for one. No visitor and no service gets more than a share, of the
 * connections and of the places to wait, so that whoever sends or reads slowly, on purpose or not, keeps nobody else away, and a
 * service whose pages hang does not keep its neighbours on the same server waiting.
 */
export type Queue = {
  /** Begins the request now or when its turn comes; false if too many wait already. */
  enter(guest: Guest): boolean;
  /** It has its answer, or will have none. Harmless when said twice. */
  leave(guest: Guest): void;
  /** Those who came before that instant and still wait are told that they wait in vain. */
  giveUpBefore(instant: number, why: Vain): void;
  sizes(): { inside: number; waiting: number };
};

export type Guest = {
  /** Whose request it is: the id of a session, or 0 for all who are nobody in particular. */
  visitor: number;
  /** Which service it is for; null for what belongs to none. */
  service: string | null;
  /** The queue's own note of where the guest is; `away` before and after. */
  standing: 'away' | 'waiting' | 'inside';
  since: number;
  begin(): void;
  giveUp(why: Vain): void;
};

/** Why somebody waits in vain: nobody before them is served, or the server is dead. */
export type Vain = 'upstream-slow' | 'upstream-unreachable';

/** The same for the log. */
export const wordsOf: Readonly<Record<Vain, string>> = {
  'upstream-slow': 'no connection became free in time',
  'upstream-unreachable': 'in line for a server that is dead',
};

const WAITING_PER_CONNECTION = 10;
const SHARE = 0.8;
// As many as a browser opens to one host, and some more.
const LEAST_SHARE = 8;

export function createQueue(connections: number, now: () => number): Queue {
  const share = Math.min(connections, Math.max(LEAST_SHARE, Math.ceil(connections * SHARE)));
  const inside = createCrowd('inside', connections, share);
  const waiting = createCrowd('waiting', connections * WAITING_PER_CONNECTION, share * WAITING_PER_CONNECTION);
  // In order of arrival. Who is inside is only counted: a set that every request enters and leaves is made anew again and again, and
  // the old tables, once they are old enough for the garbage collector to look at them seldom, hold on to everything after them.
  const line = new Set<Guest>();

  function admitNext(): void {
    for (const guest of line) {
      if (!inside.hasRoomFor(guest)) continue;
      step(guest);
      inside.add(guest);
      // Not before all that has come by now is read: behind the end of an answer, another may lie on the same connection.
      setImmediate(() => guest.begin());
      return;
    }
  }

  /** Out of the line. */
  function step(guest: Guest): void {
    line.delete(guest);
    waiting.remove(guest);
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
      line.add(guest);
      return true;
    },
    leave(guest) {
      if (guest.standing === 'waiting') step(guest);
      else if (guest.standing === 'inside') {
        inside.remove(guest);
        if (line.size > 0) admitNext();
      }
    },
    giveUpBefore(instant, why) {
      for (const guest of line) {
        // Whoever follows has waited less.
        if (guest.since > instant) return;
        step(guest);
        guest.giveUp(why);
      }
    },
    sizes: () => ({ inside: inside.size(), waiting: waiting.size() }),
  };
}

/** So many at most, and so many of one visitor or one service. */
function createCrowd(standing: Guest['standing'], most: number, mostOfOne: number) {
  const visitors = createTally<number>();
  const services = createTally<string | null>();
  let size = 0;
  return {
    size: () => size,
    hasRoomFor: ({ visitor, service }: Guest) => size < most && visitors.of(visitor) < mostOfOne && services.of(service) < mostOfOne,
    add(guest: Guest): void {
      guest.standing = standing;
      size += 1;
      visitors.add(guest.visitor, 1);
      services.add(guest.service, 1);
    },
    remove(guest: Guest): void {
      guest.standing = 'away';
      size -= 1;
      visitors.add(guest.visitor, -1);
      services.add(guest.service, -1);
    },
  };
}

/** How many there are of each; nothing is kept of those of whom there are none. */
function createTally<Kind>() {
  const counts = new Map<Kind, number>();
  const of = (kind: Kind) => counts.get(kind) ?? 0;
  return {
    of,
    add(kind: Kind, more: number) {
      const count = of(kind) + more;
      if (count > 0) counts.set(kind, count);
      else counts.delete(kind);
    },
  };
}
