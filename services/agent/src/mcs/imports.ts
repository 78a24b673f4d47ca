/**
 * The services that this cluster imports, with their cluster-set IPs: what DNS and the ServiceImport writer read. Kept up
 * to date service by service as the fold changes.
 */
import { sameJson } from "@hansa/core";
import { type ImportedService, type ImportInput, importedNames, importedService } from "@hansa/model";
import type { Assigned, ClusterSetIps } from "./cluster-set-ips.ts";

export interface ServedImport extends ImportedService {
  /** In the order of `ipFamilies`; empty for Headless, and where none could be had. */
  readonly ips: readonly string[];
}

export interface ImportIndex {
  /** O(1). The same object as long as nothing of the service changed. */
  get(namespace: string, name: string): ServedImport | undefined;
  /** Some import lies in it. */
  hasNamespace(namespace: string): boolean;
  /** False until all was read: what is not known yet is no reason to deny that it exists. */
  readonly synced: boolean;
}

export interface ImportsOptions {
  readonly input: ImportInput;
  readonly ips: ClusterSetIps;
  readonly isSynced: () => boolean;
  /** KEP-1645: clusters that have the namespace import it. */
  readonly hasNamespace: (namespace: string) => boolean;
  readonly monotonicMs: () => number;
}

interface Entry {
  readonly served: ServedImport;
  readonly assigned: Assigned | undefined;
}

export type ServiceName = { readonly namespace: string; readonly name: string };

export class Imports implements ImportIndex {
  readonly #options: ImportsOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #namespaces = new Map<string, number>();
  /** +1 for each import that comes or goes. */
  changeCount = 0;

  constructor(options: ImportsOptions) {
    this.#options = options;
  }

  get synced(): boolean {
    return this.#options.isSynced();
  }

  get size(): number {
    return this.#entries.size;
  }

  get(namespace: string, name: string): ServedImport | undefined {
    return this.#entries.get(`${namespace}/${name}`)?.served;
  }

  /** What became of the families that the service asks for; undefined for Headless. */
  assigned(namespace: string, name: string): Assigned | undefined {
    return this.#entries.get(`${namespace}/${name}`)?.assigned;
  }

  hasNamespace(namespace: string): boolean {
    return this.#namespaces.has(namespace);
  }

  names(): ServiceName[] {
    return [...this.#entries.values()].map(({ served: { namespace, name } }) => ({ namespace, name }));
  }

  /** Computes services again; `"all"`: those known and those that can be. Answers which were looked at. */
  refresh(services: "all" | readonly ServiceName[]): readonly ServiceName[] {
    const looked = services === "all" ? this.#everything() : services;
    for (const { namespace, name } of looked) this.#refresh(namespace, name);
    return looked;
  }

  #everything(): ServiceName[] {
    const { fed, importer } = this.#options.input;
    const all = new Map(
      [...this.names(), ...importedNames(fed, importer)].map((each) => [
        `${each.namespace}/${each.name}`,
        each,
      ]),
    );
    return [...all.keys()].sort().map((key) => all.get(key)!);
  }

  #refresh(namespace: string, name: string): void {
    const key = `${namespace}/${name}`;
    const { input, ips, hasNamespace, monotonicMs } = this.#options;
    const service = hasNamespace(namespace) ? importedService(input, namespace, name) : undefined;
    if (service === undefined || service.type === "Headless") ips.release(key, monotonicMs());
    const before = this.#entries.has(key);
    if (service === undefined) {
      this.#entries.delete(key);
      if (before) this.#count(namespace, -1);
      return;
    }
    if (!before) this.#count(namespace, 1);
    if (service.type === "Headless") {
      this.#put(key, { served: { ...service, ips: [] }, assigned: undefined });
      return;
    }
    const assigned = ips.assign(key, service.ipFamilies, monotonicMs());
    const { ipFamilies } = assigned;
    this.#put(key, { served: { ...service, ipFamilies, ips: assigned.ips }, assigned });
  }

  /** What is the same stays the same object: readers keep what they made of it. */
  #put(key: string, entry: Entry): void {
    const before = this.#entries.get(key)?.served;
    const served = before !== undefined && sameJson(before, entry.served) ? before : entry.served;
    this.#entries.set(key, { ...entry, served });
  }

  #count(namespace: string, by: 1 | -1): void {
    this.changeCount += 1;
    const count = (this.#namespaces.get(namespace) ?? 0) + by;
    if (count === 0) this.#namespaces.delete(namespace);
    else this.#namespaces.set(namespace, count);
  }
}
