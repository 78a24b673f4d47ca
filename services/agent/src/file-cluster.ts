/** The cluster that a file describes: its proxies, and its facts with gateways' host names resolved. */
import type { Clock, ClusterName, FederationName, Log, Metrics, Timers } from "@hansa/core";
import { type GatewayValue, gatewayKey, type RegisterEvent } from "@hansa/events";
import { type InventoryPlace, type LocalProxy, proxiesOf } from "./proxy/inventory.ts";
import type { SourceDocument } from "./source/document.ts";
import { factEvents, type OwnView, type Place, undialable, type WithoutAddress } from "./source/facts.ts";
import { FileSource, type SourceStatus } from "./source/file-source.ts";
import { namedAddresses, type Resolve, registersOf } from "./source/gateway-addresses.ts";

export interface FileClusterOptions {
  readonly file: string;
  readonly cluster: ClusterName;
  readonly federation: FederationName;
  readonly ports: {
    readonly clock: Clock;
    readonly timers: Timers;
    readonly log: Log;
    readonly metrics: Metrics;
  };
  readonly place: Place & InventoryPlace;
  readonly gateway: { readonly name: string; readonly addresses: readonly string[]; readonly port: number };
  readonly own: OwnView;
  /** Gateways that the own log tells of. */
  readonly rememberedGateways: () => Iterable<{ readonly key: string; readonly value: GatewayValue }>;
  readonly resolve: Resolve;
  readonly onProxies: (proxies: ReadonlyMap<string, LocalProxy>) => void;
  readonly onFacts: (events: readonly RegisterEvent[]) => void;
}

export class FileCluster {
  readonly #options: FileClusterOptions;
  readonly #source: FileSource;
  #document: SourceDocument | undefined;

  constructor(options: FileClusterOptions) {
    this.#options = options;
    const { file, cluster, federation, ports, place, onProxies } = options;
    this.#source = new FileSource({
      file,
      context: { cluster, federation },
      ...ports,
      nowMs: () => ports.clock.nowMs(),
      onDocument: (document) => {
        this.#document = document;
        onProxies(proxiesOf(document, place));
        this.#tell(document);
      },
    });
  }

  get status(): SourceStatus {
    return this.#source.status;
  }

  start(): void {
    this.#source.start();
  }

  stop(): void {
    this.#source.stop();
  }

  undialable(): WithoutAddress[] {
    return this.#document === undefined ? [] : undialable(this.#document);
  }

  isNamed(name: string): boolean {
    return this.#document?.gateways === undefined && this.#options.gateway.addresses.includes(name);
  }

  /** Host names may have other addresses now. */
  namesChanged(): void {
    if (this.#document !== undefined) this.#tell(this.#document);
  }

  #tell(document: SourceDocument): void {
    const { place, own, onFacts, ports } = this.#options;
    onFacts(factEvents({ ...document, gateways: this.#gateways(document) }, place, own, ports.clock.nowMs()));
  }

  /** The configured gateway, one for each address, where the file has none; not resolved yet, it stays as it was. */
  #gateways({ gateways }: SourceDocument): SourceDocument["gateways"] {
    if (gateways !== undefined) return gateways;
    const { name, addresses, port } = this.#options.gateway;
    const before = registersOf(name, this.#options.rememberedGateways());
    const found = namedAddresses(name, addresses, this.#options.resolve, before);
    return (
      found?.map((one) => ({ ...one, port, ready: true })) ??
      before.map(({ key, value }) => ({ ...value, name: key.slice(gatewayKey("").length) }))
    );
  }
}
