/** A bounded map: values that were not used for longest go first, half of them at a time, so count on half. */
export type Generations<K, V> = {
  /** The value, which counts as used by this. */
  get(key: K): V | undefined;
  peek(key: K): V | undefined;
  set(key: K, value: V): void;
  delete(key: K): void;
  clear(): void;
  keysOf(owner: string): K[];
  entries(): Iterable<[K, V]>;
  size(): number;
  weight(): number;
};

export type GenerationsOptions<V> = {
  /** The weight of all values together at most. */
  max: number;
  /** What a value weighs, the same at any time; without it each weighs 1. */
  weigh?(value: V): number;
  /** Whose values are looked for by `keysOf`; the same at any time. */
  ownersOf?(value: V): readonly string[];
};

type Generation<K, V> = { values: Map<K, V>; weight: number; owned: Map<string, Set<K>> };

/** Builds an empty one. Two generations instead of an order of use: a hit on a recent value, which is nearly every one, moves nothing. */
export function createGenerations<K, V extends NonNullable<unknown> | null>({
  max,
  weigh,
  ownersOf,
}: GenerationsOptions<V>): Generations<K, V> {
  const newGeneration = (): Generation<K, V> => ({ values: new Map(), weight: 0, owned: new Map() });
  let recent = newGeneration();
  let older = newGeneration();

  function remove(from: Generation<K, V>, key: K): void {
    const value = from.values.get(key);
    if (value === undefined) return;
    from.values.delete(key);
    from.weight -= weigh?.(value) ?? 1;
    for (const owner of ownersOf?.(value) ?? []) {
      const owned = from.owned.get(owner);
      owned?.delete(key);
      if (owned?.size === 0) from.owned.delete(owner);
    }
  }

  function set(key: K, value: V): void {
    remove(recent, key);
    remove(older, key);
    const weight = weigh?.(value) ?? 1;
    if ((recent.weight + weight) * 2 > max) {
      older = recent;
      recent = newGeneration();
    }
    recent.values.set(key, value);
    recent.weight += weight;
    for (const owner of ownersOf?.(value) ?? []) {
      const owned = recent.owned.get(owner);
      if (owned) owned.add(key);
      else recent.owned.set(owner, new Set([key]));
    }
  }

  return {
    get(key) {
      const value = recent.values.get(key);
      if (value !== undefined) return value;
      const old = older.values.get(key);
      if (old !== undefined) set(key, old);
      return old;
    },
    peek: key => recent.values.get(key) ?? older.values.get(key),
    set,
    delete(key) {
      remove(recent, key);
      remove(older, key);
    },
    clear() {
      recent = newGeneration();
      older = newGeneration();
    },
    keysOf: owner => [recent, older].flatMap(({ owned }) => [...(owned.get(owner) ?? [])]),
    entries: () => [...recent.values, ...older.values],
    size: () => recent.values.size + older.values.size,
    weight: () => recent.weight + older.weight,
  };
}
