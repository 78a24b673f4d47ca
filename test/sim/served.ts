/** What an observer has shown of each register, so that later it shows nothing older: also after a restart. */
export interface Seen {
  readonly generation: number;
  readonly present: boolean;
}

export class Served {
  readonly #seen = new Map<string, Seen>();

  get(cluster: string, key: string): Seen | undefined {
    return this.#seen.get(`${cluster} ${key}`);
  }

  set(cluster: string, key: string, seen: Seen): void {
    this.#seen.set(`${cluster} ${key}`, seen);
  }

  *all(): Iterable<{ readonly cluster: string; readonly key: string }> {
    for (const name of this.#seen.keys()) {
      const at = name.indexOf(" ");
      yield { cluster: name.slice(0, at), key: name.slice(at + 1) };
    }
  }
}
