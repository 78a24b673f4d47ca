/**
 * This cluster's own registers as it wants them, whether published yet or not: local routing follows local facts at
 * once, also while the bus is away. An index by service keeps lookups as cheap as their result.
 */
import { parseKey, type RegisterEvent } from "@hansa/events";

const groupOf = (key: string): string => {
  const parsed = parseKey(key);
  if (parsed?.type === "LoadSet" || parsed?.type === "EndpointSet") return key.split("/", 3).join("/");
  return key.split("/", 1)[0] ?? "";
};

export class OwnRegisters {
  readonly #byKey = new Map<string, RegisterEvent>();
  readonly #groups = new Map<string, Set<string>>();

  get(key: string): RegisterEvent | undefined {
    return this.#byKey.get(key);
  }

  /** Live registers only; a tombstone removes. */
  set(event: RegisterEvent): void {
    const group = groupOf(event.key);
    if (event.data === null) {
      this.#byKey.delete(event.key);
      const keys = this.#groups.get(group);
      keys?.delete(event.key);
      if (keys?.size === 0) this.#groups.delete(group);
      return;
    }
    this.#byKey.set(event.key, event);
    const keys = this.#groups.get(group) ?? new Set();
    keys.add(event.key);
    this.#groups.set(group, keys);
  }

  keys(): Iterable<string> {
    return this.#byKey.keys();
  }

  get size(): number {
    return this.#byKey.size;
  }

  /** Registers whose key starts with `prefix`, which ends with `/`. */
  *list(prefix: string): Iterable<RegisterEvent> {
    const groups =
      prefix.split("/").length >= 4 ? [prefix.split("/", 3).join("/")] : this.#groupsUnder(prefix);
    for (const group of groups)
      for (const key of this.#groups.get(group) ?? [])
        if (key.startsWith(prefix)) {
          const event = this.#byKey.get(key);
          if (event !== undefined) yield event;
        }
  }

  #groupsUnder(prefix: string): string[] {
    const kind = prefix.split("/", 1)[0] ?? "";
    if (kind !== "load" && kind !== "endpoint") return [kind];
    return [...this.#groups.keys()].filter((group) => group.startsWith(`${kind}/`));
  }
}
