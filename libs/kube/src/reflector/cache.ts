/**
 * What is known of one kind of object: key → the caller's projection of it. Owns the differences that changes and whole lists make,
 * and the doubt about a list that lacks half or more of what was known. Pure.
 */

export type Change<T> =
  | { readonly kind: "set"; readonly key: string; readonly value: T; readonly before: T | undefined }
  | { readonly kind: "removed"; readonly key: string; readonly before: T };

/** One object as it was read. */
export type Item<T> =
  | { readonly key: string; readonly kind: "value"; readonly value: T }
  /** There, and of no interest to the caller. */
  | { readonly key: string; readonly kind: "ignored" }
  /** There, and the caller could not read it: what was known of it stays. */
  | { readonly key: string; readonly kind: "unreadable" };

export type Same<T> = (a: T, b: T) => boolean;

/** A whole list while its pages come. Holds the known value where the new one says the same. */
export class Listing<T> {
  readonly #known: ReadonlyMap<string, T>;
  readonly #same: Same<T>;
  readonly values = new Map<string, T>();
  /** Objects that the API server has, whatever the caller makes of them. */
  seenCount = 0;

  constructor(known: ReadonlyMap<string, T>, same: Same<T>) {
    this.#known = known;
    this.#same = same;
  }

  add(item: Item<T>): void {
    this.seenCount += 1;
    const before = this.#known.get(item.key);
    if (item.kind === "value")
      this.values.set(item.key, before !== undefined && this.#same(before, item.value) ? before : item.value);
    else if (item.kind === "unreadable" && before !== undefined) this.values.set(item.key, before);
  }
}

export class Cache<T> {
  readonly #same: Same<T>;
  readonly #values = new Map<string, T>();
  /** Missing in the last list and not withdrawn yet. */
  #doubtful: ReadonlySet<string> | undefined;

  constructor(same: Same<T>) {
    this.#same = same;
  }

  get values(): ReadonlyMap<string, T> {
    return this.#values;
  }

  get doubtfulCount(): number {
    return this.#doubtful?.size ?? 0;
  }

  /** One object was added or changed. */
  put(item: Item<T>): Change<T> | undefined {
    if (item.kind === "unreadable") return undefined;
    if (item.kind === "ignored") return this.remove(item.key);
    const before = this.#values.get(item.key);
    if (before !== undefined && this.#same(before, item.value)) return undefined;
    this.#values.set(item.key, item.value);
    return { kind: "set", key: item.key, value: item.value, before };
  }

  remove(key: string): Change<T> | undefined {
    const before = this.#values.get(key);
    if (before === undefined) return undefined;
    this.#values.delete(key);
    return { kind: "removed", key, before };
  }

  listing(): Listing<T> {
    return new Listing(this.#values, this.#same);
  }

  /**
   * A whole list. What it has takes effect; what it lacks is withdrawn unless that is half or more of what was known and the list
   * before did not lack it too: then `isDoubtful`, and the next list decides.
   */
  take({ values }: Listing<T>): { readonly changes: Change<T>[]; readonly isDoubtful: boolean } {
    const changes: Change<T>[] = [];
    const knownCount = this.#values.size;
    const missing = [...this.#values.keys()].filter((key) => !values.has(key));
    for (const [key, value] of values) {
      const before = this.#values.get(key);
      if (before === value) continue;
      this.#values.set(key, value);
      changes.push({ kind: "set", key, value, before });
    }
    const unconfirmed = missing.filter((key) => this.#doubtful?.has(key) !== true);
    if (isMuchSmaller(unconfirmed.length, knownCount)) {
      this.#doubtful = new Set(missing);
      return { changes, isDoubtful: true };
    }
    this.#doubtful = undefined;
    for (const key of missing) {
      const change = this.remove(key);
      if (change !== undefined) changes.push(change);
    }
    return { changes, isDoubtful: false };
  }
}

/** Half of what was known, or more, is missing; of one object that is the one. */
export const isMuchSmaller = (missingCount: number, knownCount: number): boolean =>
  missingCount > 0 && missingCount * 2 >= knownCount;
