/**
 * What this agent knew of its imports when it last ran, on its own disk: their names and cluster-set IPs. A cluster whose
 * API server is away goes on resolving them over a restart of the agent. Owns the file; never denies what is not in it.
 */

import { readLists, writeJson } from "../disk.ts";
import type { Disk } from "../ports.ts";
import type { ClusterSetIps } from "./cluster-set-ips.ts";
import type { Imports, ServiceName } from "./imports.ts";

const FILE = "cluster-set-ips.json";

interface Parts {
  readonly disk: Disk;
  readonly ips: ClusterSetIps;
  readonly imports: Imports;
}

export class RememberedImports {
  readonly #parts: Parts;
  #known: ReadonlyMap<string, ServiceName> | undefined;
  /** The change that is on the disk. */
  #recorded = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Imports are as the logs say, of the names in the file. Once. */
  recall(): void {
    if (this.#known !== undefined) return;
    const { imports } = this.#parts;
    this.#restore([]);
    const keys = Object.keys(readLists(this.#parts.disk, FILE));
    this.#known = new Map(keys.map((key) => [key, nameIn(key)]));
    imports.refresh([...this.#known.values()]);
  }

  /** The logs have changed, and the API server was not read yet. */
  changed(services: "all" | readonly ServiceName[]): void {
    const known = this.#known ?? new Map<string, ServiceName>();
    const touched =
      services === "all"
        ? known.values()
        : services.filter((each) => known.has(`${each.namespace}/${each.name}`));
    this.#parts.imports.refresh([...touched]);
  }

  /** Addresses of before count first: those that ServiceImports show, then those that only this agent remembers. */
  replaced(shown: Iterable<readonly [key: string, ips: readonly string[]]>): void {
    this.#parts.ips.forget();
    this.#restore(shown);
  }

  #restore(shown: Iterable<readonly [key: string, ips: readonly string[]]>): void {
    const { disk, ips } = this.#parts;
    for (const [key, addresses] of shown) ips.restore(key, addresses);
    for (const [key, addresses] of Object.entries(readLists(disk, FILE))) ips.restore(key, addresses);
  }

  /** Writes what has changed since. */
  record(): void {
    const { disk, ips, imports } = this.#parts;
    const changes = ips.changeCount + imports.changeCount;
    if (changes === this.#recorded) return;
    this.#recorded = changes;
    const names = imports.names().map(({ namespace, name }) => [`${namespace}/${name}`, []] as const);
    writeJson(disk, FILE, { ...Object.fromEntries(names), ...ips.record() });
  }
}

function nameIn(key: string): ServiceName {
  const [namespace = "", name = ""] = key.split("/");
  return { namespace, name };
}
