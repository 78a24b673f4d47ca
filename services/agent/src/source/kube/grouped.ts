/** Values by key, and by the groups that each value says it belongs to. */
export class Grouped<T> {
  readonly #groupsOf: (value: T) => readonly string[];
  readonly #values = new Map<string, T>();
  readonly #groups = new Map<string, Set<string>>();

  constructor(groupsOf: (value: T) => readonly string[]) {
    this.#groupsOf = groupsOf;
  }

  /** Sets a value, or removes it; answers the groups that it was or is in. */
  put(key: string, value: T | undefined): Set<string> {
    const before = this.#values.get(key);
    const left = new Set(before === undefined ? [] : this.#groupsOf(before));
    const entered = new Set(value === undefined ? [] : this.#groupsOf(value));
    for (const group of left) if (!entered.has(group)) this.#leave(group, key);
    for (const group of entered) {
      const members = this.#groups.get(group) ?? new Set();
      this.#groups.set(group, members.add(key));
    }
    if (value === undefined) this.#values.delete(key);
    else this.#values.set(key, value);
    return left.union(entered);
  }

  of(group: string): T[] {
    return [...(this.#groups.get(group) ?? [])].map((key) => this.#values.get(key)!);
  }

  #leave(group: string, key: string): void {
    const members = this.#groups.get(group);
    members?.delete(key);
    if (members?.size === 0) this.#groups.delete(group);
  }
}
