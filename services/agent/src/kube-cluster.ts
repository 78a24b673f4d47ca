/**
 * A Kubernetes cluster as the agent's source: what its API server says, the proxies of its pods, and the door and webhooks
 * for these. Owns what each of them hears of the others.
 */
import type { RegisterEvent } from "@hansa/events";
import type { KeyStore } from "@hansa/identity";
import type { AgentConfig } from "./config.ts";
import { Kubernetes, type KubernetesOptions } from "./kubernetes.ts";
import { gatewayProxies, type InventoryPlace, type LocalProxy } from "./proxy/inventory.ts";
import type { PlaneOptions, ProxyServer } from "./proxy/plane-options.ts";
import { inboundIn, Sidecars } from "./sidecars.ts";
import { eventOf, eventsTo, type Fact, type Place, type WithoutAddress } from "./source/facts.ts";
import type { SourceStatus } from "./source/file-source.ts";
import { PodProxies } from "./source/kube/pod-proxies.ts";
import { admissionSight } from "./webhook/policy-review.ts";

type FromSource = "region" | "zones" | "gateway" | "onFacts" | "onChanges" | "onPod" | "onNamespace";

export interface KubeClusterOptions extends Omit<KubernetesOptions, FromSource> {
  readonly config: AgentConfig;
  readonly store: KeyStore;
  readonly isLab: boolean;
  /** One object for the life of the agent: facts and proxies are known again by it. */
  readonly place: Place & InventoryPlace;
  readonly onProxies: (proxies: ReadonlyMap<string, LocalProxy>) => void;
  /** Everything that the source says, when it was read for the first time. */
  readonly onFacts: (events: readonly RegisterEvent[]) => void;
}

export class KubeCluster {
  readonly kubernetes: Kubernetes;
  readonly #options: KubeClusterOptions;
  readonly #pods: PodProxies;
  readonly #sidecars: Sidecars | undefined;
  #knownPods: ReadonlyMap<string, LocalProxy> | undefined;

  constructor(options: KubeClusterOptions) {
    const { config, trustDomain, core, ports, onFacts } = options;
    const { region, zones, gateway, source } = config;
    this.#options = options;
    this.#pods = new PodProxies({ trustDomain, zone: zones[0] ?? "default", inbound: inboundIn(source) });
    const nowMs = (): number => ports.clock.nowMs();
    this.kubernetes = new Kubernetes({
      ...options,
      region,
      zones,
      gateway,
      onFacts: (facts) => {
        this.#podsChanged(facts.values());
        onFacts(eventsTo(facts, core.own.registers, nowMs()));
      },
      onChanges: ({ set, gone }) => {
        this.#podsChanged(set, gone);
        core.facts([
          ...set.map(({ type, key, value }) => eventOf(type, key, value, nowMs())),
          ...gone.map(({ type, key }) => eventOf(type, key, null, nowMs())),
        ]);
      },
      onPod: (key, pod) => {
        this.#pods.pod(key, pod);
        this.#sidecars?.pod(key, pod?.meshed === true);
      },
      onNamespace: (name, namespace) => {
        this.#pods.namespace(name, namespace);
        this.#sidecars?.namespace(name, namespace?.injects === true);
      },
    });
    this.#sidecars = this.#makeSidecars();
  }

  #makeSidecars(): Sidecars | undefined {
    const { door, config, store, cluster, ports, core, isLab } = this.#options;
    const { sidecars } = door.config;
    if (sidecars === undefined) return undefined;
    const { serviceAccount } = config.gateway;
    const { namespace } = door.client;
    return new Sidecars({
      config: sidecars,
      client: door.client,
      store,
      cluster,
      ports,
      mayWrite: () => this.kubernetes.mayWrite(),
      gateway: serviceAccount === undefined ? undefined : { namespace, serviceAccount },
      admission: admissionSight(core.fed, cluster, isLab),
    });
  }

  get status(): SourceStatus {
    return this.kubernetes.status;
  }

  /** Throws HSA1012 where an address is taken. */
  async start(): Promise<void> {
    await this.#sidecars?.start();
    this.kubernetes.start();
  }

  async stop(): Promise<void> {
    await this.kubernetes.stop();
    await this.#sidecars?.stop();
  }

  undialable(): WithoutAddress[] {
    return this.kubernetes.undialable();
  }

  isNamed(name: string): boolean {
    return this.kubernetes.isNamed(name);
  }

  namesChanged(): void {
    this.kubernetes.namesChanged();
  }

  /** undefined: the proxy does not come by this cluster's door. */
  serve(...asked: Parameters<PlaneOptions["serve"]>): ProxyServer | undefined {
    return this.#sidecars?.serve(...asked);
  }

  /** The gateways that the configuration names, and the proxies of pods, where these can come. */
  #podsChanged(set: Iterable<Fact>, gone: Iterable<Fact> = []): void {
    for (const fact of gone) this.#pods.fact(fact, false);
    for (const fact of set) this.#pods.fact(fact, true);
    const pods = this.#pods.proxies();
    if (this.#knownPods === pods) return;
    this.#knownPods = pods;
    const { place, onProxies } = this.#options;
    const gateways = gatewayProxies(place);
    onProxies(this.#sidecars === undefined ? gateways : new Map([...gateways, ...pods]));
  }
}
