/**
 * The local proxies as the agent answers them: a layer and a server each, who is awake, and how far each has acknowledged.
 * A pod's proxy sleeps until its Envoy comes here: one that asks another agent of the cluster, or never starts, costs no
 * build. Makes no resources.
 */
import type { Sha256 } from "@hansa/core";
import { ResourceLayer } from "@hansa/xds";
import type { LocalProxy } from "./inventory.ts";
import type { PlaneOptions, ProxyServer } from "./plane-options.ts";

export interface Served {
  proxy: LocalProxy;
  readonly layer: ResourceLayer;
  readonly server: ProxyServer;
}

export interface ServedProxiesOptions {
  readonly serve: PlaneOptions["serve"];
  readonly sha256: Sha256;
  /** Its own layer and those below it. */
  readonly layers: (proxy: LocalProxy, own: ResourceLayer) => readonly ResourceLayer[];
  readonly onAnswer: (id: string) => void;
  /** Its Envoy comes for the first time: what it is told has to stand when this returns. */
  readonly onCome: (id: string) => void;
}

export class ServedProxies {
  readonly #options: ServedProxiesOptions;
  readonly #served = new Map<string, Served>();
  readonly #awake = new Set<string>();
  /** Connected proxies that have not acknowledged all they have → how far they are, a revision. */
  readonly #behind = new Map<string, number>();

  constructor(options: ServedProxiesOptions) {
    this.#options = options;
  }

  get(id: string): Served | undefined {
    return this.#served.get(id);
  }

  entries(): Iterable<[string, Served]> {
    return this.#served;
  }

  awake(): ReadonlySet<string> {
    return this.#awake;
  }

  /** False where it was awake before, or is not served. */
  wake(id: string): boolean {
    if (this.#awake.has(id) || !this.#served.has(id)) return false;
    this.#awake.add(id);
    return true;
  }

  /** From now on these are served and no others. */
  keep(proxies: ReadonlyMap<string, LocalProxy>): void {
    for (const [id, proxy] of proxies) this.#ensure(id, proxy);
    for (const [id, served] of this.#served) if (!proxies.has(id)) this.#end(id, served);
  }

  /** A sidecar that moved to another zone looks at other layers, and a pod of the name is another's: a server anew. */
  #ensure(id: string, proxy: LocalProxy): void {
    const known = this.#served.get(id);
    if (known !== undefined && known.proxy.zone === proxy.zone && podOf(known.proxy) === podOf(proxy)) {
      known.proxy = proxy;
      return;
    }
    if (known !== undefined) this.#end(id, known);
    const { sha256, layers, serve, onAnswer, onCome } = this.#options;
    const layer = new ResourceLayer({ sha256 });
    const server = serve(
      proxy,
      layers(proxy, layer),
      () => onAnswer(id),
      () => onCome(id),
    );
    this.#served.set(id, { proxy, layer, server });
    if (!sleeps(proxy)) this.#awake.add(id);
  }

  #end(id: string, { server }: Served): void {
    this.#served.delete(id);
    this.#awake.delete(id);
    this.#behind.delete(id);
    void server.close();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#served.values()].map(({ server }) => server.close()));
    this.#served.clear();
  }

  /** What every connected Envoy has acknowledged, a revision; infinite where all have everything. Looks at these again. */
  acked(ids: Iterable<string>): number {
    for (const id of ids) this.#look(id);
    return Math.min(...this.#behind.values());
  }

  /** Revisions are counted over all layers: a proxy that has everything of its own holds nobody back. */
  #look(id: string): void {
    this.#behind.delete(id);
    const served = this.#served.get(id);
    const acked = served?.server.ackedRevision();
    if (served === undefined || acked === undefined) return;
    const layers = this.#options.layers(served.proxy, served.layer);
    if (acked < Math.max(...layers.map(({ revision }) => revision))) this.#behind.set(id, acked);
  }
}

/** Until its Envoy comes. */
export const sleeps = (proxy: LocalProxy): boolean => podOf(proxy) !== undefined;

const podOf = (proxy: LocalProxy): string | undefined =>
  proxy.kind === "sidecar" ? proxy.pod?.uid : undefined;
