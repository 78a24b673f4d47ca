/**
 * The imports, brought up to the fold when somebody reads them: a change costs nothing until then, and many changes of
 * one service cost one computation.
 */
import { affectedServices, type FederationReader, type RegisterRef } from "@hansa/model";
import { ClusterSetIps } from "./cluster-set-ips.ts";
import { type ImportIndex, Imports, type ImportsOptions, type ServedImport } from "./imports.ts";

/** Registers that an import depends on; a membership stands for all that its member exports. */
const KINDS: ReadonlySet<string> = new Set(["service", "endpoint", "link", "membership"]);

export class CurrentImports implements ImportIndex {
  readonly #imports: Imports;
  readonly #fed: FederationReader;
  readonly #importer: string;
  #isStale = true;
  readonly #touched = new Map<string, { readonly namespace: string; readonly name: string }>();

  constructor(imports: Imports, fed: FederationReader, importer: string) {
    this.#imports = imports;
    this.#fed = fed;
    this.#importer = importer;
  }

  changed(refs: readonly RegisterRef[]): void {
    if (this.#isStale) return;
    const relevant = refs.filter(({ cluster, key }) => {
      const kind = key.slice(0, key.indexOf("/"));
      return KINDS.has(kind) && (kind !== "link" || cluster === this.#importer);
    });
    const services = affectedServices(relevant, this.#fed);
    if (services === "all") this.#isStale = true;
    else for (const service of services) this.#touched.set(`${service.namespace}/${service.name}`, service);
  }

  get synced(): boolean {
    return this.#imports.synced;
  }

  get(namespace: string, name: string): ServedImport | undefined {
    this.#refresh();
    return this.#imports.get(namespace, name);
  }

  hasNamespace(namespace: string): boolean {
    this.#refresh();
    return this.#imports.hasNamespace(namespace);
  }

  #refresh(): void {
    if (this.#isStale) this.#imports.refresh("all");
    else if (this.#touched.size > 0) this.#imports.refresh([...this.#touched.values()]);
    this.#isStale = false;
    this.#touched.clear();
  }
}

/** Of a cluster without Kubernetes: nothing there takes up a connection to a cluster-set address, so there are none. */
export function importsWithoutKubernetes(
  options: Omit<ImportsOptions, "ips" | "hasNamespace">,
): CurrentImports {
  const { fed, importer } = options.input;
  const ips = new ClusterSetIps({ pools: [], isTaken: () => false });
  return new CurrentImports(new Imports({ ...options, ips, hasNamespace: () => true }), fed, importer);
}
