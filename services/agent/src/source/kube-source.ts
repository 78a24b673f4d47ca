/**
 * Watches a Kubernetes cluster: list and watch of the objects that facts are made of, and the facts themselves. Speaks
 * once everything was read whole, and from then on at every change; what cannot be read for now stays in force.
 */
import type { TrustDomain } from "@hansa/core";
import {
  type Change,
  ENDPOINT_SLICES,
  type KubeClient,
  type KubePorts,
  type McsVersion,
  PODS,
  type Project,
  Reflector,
  type Resource,
  SERVICES,
  serviceExports,
} from "@hansa/kube";
import type { Fact } from "./facts.ts";
import type { SourceStatus } from "./file-source.ts";
import type { Json } from "./kube/json.ts";
import { type FactChanges, KubeFacts, type ObjectChange } from "./kube/kube-facts.ts";
import {
  type PodObject,
  projectExport,
  projectPod,
  projectService,
  projectSlice,
  type ServiceObject,
} from "./kube/objects.ts";
import type { KubePlace } from "./kube/service-facts.ts";

export interface KubeSourceOptions {
  readonly client: KubeClient;
  readonly ports: KubePorts;
  readonly version: McsVersion;
  readonly place: KubePlace;
  readonly trustDomain: TrustDomain;
  /** For people: the context. */
  readonly name: string;
  /** Services that the last run had exported: an API server that knows much fewer is doubted. */
  readonly expectedServices: number;
  /** All facts, once; everything was read. */
  readonly onFacts: (facts: ReadonlyMap<string, Fact>) => void;
  readonly onChanges: (changes: FactChanges) => void;
  readonly onPod: (key: string, pod: PodObject | undefined) => void;
}

export class KubeSource {
  readonly facts: KubeFacts;
  readonly #options: KubeSourceOptions;
  readonly #reflectors: readonly Reflector<unknown>[];
  /** Address → Service that has it as ClusterIP. */
  readonly #clusterIps = new Map<string, string>();
  #isRead = false;
  #loadedMs = 0;

  constructor(options: KubeSourceOptions) {
    this.#options = options;
    this.facts = new KubeFacts(options.place, options.trustDomain);
    this.#reflectors = [
      this.#reflector("service", SERVICES, projectService),
      this.#reflector("slice", ENDPOINT_SLICES, projectSlice, "kubernetes.io/service-name"),
      this.#reflector("pod", PODS, projectPod),
      this.#reflector("export", serviceExports(options.version), projectExport),
    ];
  }

  get synced(): boolean {
    return this.#isRead;
  }

  get status(): SourceStatus {
    const problems = this.#reflectors.flatMap(({ problem }) => problem?.message ?? []);
    return { file: this.#options.name, version: this.#options.version, loadedMs: this.#loadedMs, problems };
  }

  /** A Service of the cluster has this address. */
  isClusterIp(address: string): boolean {
    return this.#clusterIps.has(address);
  }

  start(): void {
    for (const reflector of this.#reflectors) reflector.start();
  }

  stop(): void {
    for (const reflector of this.#reflectors) reflector.stop();
  }

  #reflector<T>(
    kind: ObjectChange["kind"],
    resource: Resource,
    project: (object: Json) => T | undefined,
    labelSelector?: string,
  ): Reflector<unknown> {
    const { client, ports, expectedServices } = this.#options;
    return new Reflector<unknown>({
      client,
      ports,
      resource,
      project: project as unknown as Project<unknown>,
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(kind === "pod" ? {} : { expectedCount: expectedServices }),
      onChanges: (changes) => this.#changed(kind, changes),
      onSynced: () => this.#flush(),
    });
  }

  #changed(kind: ObjectChange["kind"], changes: readonly Change<unknown>[]): void {
    for (const change of changes) {
      const value = change.kind === "set" ? change.value : undefined;
      if (kind === "service") this.#serviceIps(change as Change<ServiceObject>);
      if (kind === "pod") this.#options.onPod(change.key, value as PodObject | undefined);
      this.facts.apply({ kind, key: change.key, value } as ObjectChange);
    }
    if (this.#isRead) this.#flush();
  }

  #serviceIps(change: Change<ServiceObject>): void {
    for (const ip of change.before?.clusterIps ?? [])
      if (this.#clusterIps.get(ip) === change.key) this.#clusterIps.delete(ip);
    if (change.kind === "set") for (const ip of change.value.clusterIps) this.#clusterIps.set(ip, change.key);
  }

  #flush(): void {
    if (!this.#reflectors.every(({ synced }) => synced)) return;
    const { ports, onFacts, onChanges } = this.#options;
    const changes = this.facts.take();
    this.#loadedMs = ports.clock.nowMs();
    this.#measure();
    if (this.#isRead) {
      onChanges(changes);
      return;
    }
    this.#isRead = true;
    onFacts(this.facts.all());
    onChanges({ set: [], gone: [], exports: changes.exports });
  }

  #measure(): void {
    const unmeshed = this.facts.unmeshed().reduce((sum, { count }) => sum + count, 0);
    this.#options.ports.metrics.gauge("hansa_kube_unmeshed_endpoints", unmeshed);
  }
}
