/** Writes what leads cluster-set IPs to the local gateway, once for each way that an import looks. */
import { canonicalJson } from "@hansa/core";
import type { Applier, Write } from "@hansa/kube";
import { type EntryOptions, entryWrites } from "./entry.ts";
import type { ServedImport } from "./imports.ts";

export class EntryWriter {
  readonly #options: EntryOptions;
  readonly #applier: Pick<Applier, "write">;
  /** Import → what was written for it. */
  readonly #written = new Map<string, string>();

  constructor(options: EntryOptions, applier: Pick<Applier, "write">) {
    this.#options = options;
    this.#applier = applier;
  }

  /** Another may have written meanwhile: everything is written again. */
  clear(): void {
    this.#written.clear();
  }

  /** `importUid` undefined: the ServiceImport is not there yet, or no more; what belonged to it goes with it. */
  plan(key: string, served: ServedImport | undefined, importUid: string | undefined): void {
    const writes = served === undefined || importUid === undefined ? [] : this.#writesOf(served, importUid);
    const wanted = canonicalJson(writes);
    if ((this.#written.get(key) ?? "[]") === wanted) return;
    if (writes.length === 0) this.#written.delete(key);
    else this.#written.set(key, wanted);
    void this.#send(key, wanted, writes);
  }

  #writesOf(served: ServedImport, importUid: string): Write[] {
    return entryWrites(served, importUid, this.#options);
  }

  /** One after the other: the status needs its object. */
  async #send(key: string, wanted: string, writes: readonly Write[]): Promise<void> {
    for (const write of writes) {
      const { outcome } = await this.#applier.write(write);
      if (outcome === "applied") continue;
      // Looked at again with the next change of the import, or when this process begins to write again.
      if (this.#written.get(key) === wanted) this.#written.delete(key);
      return;
    }
  }
}
