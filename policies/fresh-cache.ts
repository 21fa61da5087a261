import { createGenerations, type GenerationsOptions } from './generations.ts';

/** Memory of what a slow source says, holding nothing that was read before somebody said it had changed. */
export type FreshCache<K, V> = {
  /** The value at once if it is known, else a promise of one read no earlier than the last drop that concerned the key. */
  get(key: K): V | Promise<V>;
  /** The key's value may have changed: forget it, and let no load that has already begun deliver it, unless it is not concerned. */
  drop(key: K, concerns?: (value: V) => boolean): void;
  dropAll(): void;
  /** Drops what the predicate picks. A load under way is judged by what it brings, when it lands. */
  dropWhere(concerns: (key: K, value: V) => boolean): void;
  /** Drops all that belongs to that owner, without looking at anything else. */
  dropOf(owner: string): void;
  /** Forgets this very value (it ran out) without spoiling a load that may already be fetching its successor. */
  discard(key: K, value: V): void;
  size(): number;
  weight(): number;
  loading(): number;
  values(): Iterable<V>;
};

export type FreshCacheOptions<K, V> = GenerationsOptions<V> & {
  load(key: K): Promise<V>;
  /** False for a value that should be answered but not kept, such as "there is no such thing". */
  keep?: (value: V) => boolean;
};

type Flight<K, V> = { spoiled: boolean; suspicions: ((key: K, value: V) => boolean)[]; landed: Promise<V> };

const maxLoads = 8;
const maxSuspicions = 100;

/** Thrown when every load of a value was overtaken by a change to it. */
export class OvertakenFault extends Error {
  override name = 'OvertakenFault';
}

/** Builds a bounded cache with one load at a time per key. Rejections of `load` reach the callers and are not kept. */
export function createFreshCache<K, V extends NonNullable<unknown> | null>(options: FreshCacheOptions<K, V>): FreshCache<K, V> {
  const kept = createGenerations<K, V>(options);
  const flights = new Map<K, Flight<K, V>>();

  async function land(key: K, flight: Flight<K, V>): Promise<V> {
    try {
      const value = await options.load(key);
      flight.spoiled ||= flight.suspicions.some(concerns => concerns(key, value));
      if (!flight.spoiled && (options.keep?.(value) ?? true)) kept.set(key, value);
      return value;
    } finally {
      // A spoiled flight may already have been replaced by a newer one, which must stay.
      if (flights.get(key) === flight) flights.delete(key);
    }
  }

  function start(key: K): Flight<K, V> {
    const flight: Flight<K, V> = {
      spoiled: false,
      suspicions: [],
      landed: Promise.resolve().then(() => land(key, flight)),
    };
    flights.set(key, flight);
    return flight;
  }

  async function load(key: K): Promise<V> {
    for (let loads = 0; loads < maxLoads; loads++) {
      const value = kept.get(key);
      if (value !== undefined) return value;
      const flight = flights.get(key) ?? start(key);
      const landed = await flight.landed;
      if (!flight.spoiled) return landed;
    }
    throw new OvertakenFault('the value changed every time while it was being read');
  }

  function spoil(key: K, flight: Flight<K, V>): void {
    flight.spoiled = true;
    flights.delete(key);
  }

  function suspect(key: K, flight: Flight<K, V>, concerns: (key: K, value: V) => boolean): void {
    // A load that hangs while changes go on must not collect predicates without end.
    if (flight.suspicions.length === maxSuspicions) spoil(key, flight);
    else flight.suspicions.push(concerns);
  }

  return {
    get(key) {
      const value = kept.get(key);
      return value === undefined ? load(key) : value;
    },
    drop(key, concerns) {
      const value = kept.peek(key);
      if (value !== undefined && (concerns?.(value) ?? true)) kept.delete(key);
      const flight = flights.get(key);
      if (flight && concerns) suspect(key, flight, (_key, brought) => concerns(brought));
      else if (flight) spoil(key, flight);
    },
    dropAll() {
      kept.clear();
      for (const [key, flight] of flights) spoil(key, flight);
    },
    dropWhere(concerns) {
      for (const [key, value] of kept.entries()) if (concerns(key, value)) kept.delete(key);
      for (const [key, flight] of flights) suspect(key, flight, concerns);
    },
    dropOf(owner) {
      for (const key of kept.keysOf(owner)) kept.delete(key);
      for (const [key, flight] of flights) suspect(key, flight, (_key, value) => options.ownersOf?.(value).includes(owner) ?? false);
    },
    discard(key, value) {
      if (kept.peek(key) === value) kept.delete(key);
    },
    size: kept.size,
    weight: kept.weight,
    loading: () => flights.size,
    *values() {
      for (const [, value] of kept.entries()) yield value;
    },
  };
}
