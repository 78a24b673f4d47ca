/** Which heads a build may claim: those whose whole effect it holds. Pure bookkeeping. */
import type { AccountKey } from "@hansa/core";
import type { Head } from "@hansa/events";

export interface ClaimsOptions {
  /** Of the fold now. */
  readonly heads: () => readonly Head[];
  /** Name of the source of a log, where it is known. */
  readonly clusterOf: (account: AccountKey) => string | undefined;
  /** Sources of changes that no build has taken yet. */
  readonly behind: () => ReadonlySet<string>;
}

export class Claims {
  readonly #options: ClaimsOptions;
  /** `<account> <lane>` → last head that was claimed. */
  readonly #claimed = new Map<string, Head>();

  constructor(options: ClaimsOptions) {
    this.#options = options;
  }

  /** Of a source that waits for a build, the heads of its last whole one. */
  heads(): Head[] {
    const { heads, clusterOf, behind } = this.#options;
    const waiting = behind();
    return heads().flatMap((head) => {
      const log = `${head.source} ${head.lane}`;
      const waits = waiting.size > 0 && waiting.has(clusterOf(head.source) ?? "");
      if (!waits) this.#claimed.set(log, head);
      return this.#claimed.get(log) ?? [];
    });
  }
}
