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
  NAMESPACES,
  PODS,
  type Project,
  Reflector,
  type Resource,
  SERVICES,
  serviceExports,
} from "@hansa/kube";
import type { Fact } from "./facts.ts";
import type { SourceStatus } from "./file-source.ts";
import type { Resolve } from "./gateway-addresses.ts";
import type { Json } from "./kube/json.ts";
import { KubeFacts, type ObjectChange } from "./kube/kube-facts.ts";
import {
  type NamespaceObject,
  type PodObject,
  projectExport,
  projectNamespace,
  projectPod,
  projectService,
  projectSlice,
  type ServiceObject,
  type SliceObject,
} from "./kube/objects.ts";
import { PolicyFacts } from "./kube/policy-facts.ts";
import { type PolicyObject, type PolicyObjectKind, projectPolicy } from "./kube/policy-objects.ts";
import { POLICY_RESOURCES } from "./kube/policy-writer.ts";
import { type ServiceAddresses, serviceAddresses } from "./kube/service-addresses.ts";
import type { KubePlace } from "./kube/service-facts.ts";

export interface SourceChanges {
  readonly set: readonly Fact[];
  readonly gone: readonly Fact[];
  /** `ns/name` of exports, and ids of policies, that were judged anew. */
  readonly exports: readonly string[];
  readonly policies: readonly string[];
}

export interface KubeSourceOptions {
  readonly client: KubeClient;
  readonly ports: KubePorts;
  readonly version: McsVersion;
  /** Hansa's own kinds that the API server serves. */
  readonly policyKinds: readonly PolicyObjectKind[];
  readonly place: KubePlace;
  readonly trustDomain: TrustDomain;
  /** Holds until a MeshGateway does. */
  readonly configuredGateway: PolicyObject;
  /** Gateways that the own log tells of. */
  readonly rememberedGateways: () => Iterable<Fact<"GatewaySet">>;
  readonly resolve: Resolve;
  /** Endpoints of a Service, by its key, were others. */
  readonly onEndpoints: (service: string) => void;
  /** For people: the context. */
  readonly name: string;
  /** Services that the last run had exported: an API server that knows much fewer is doubted. */
  readonly expectedServices: number;
  /** All facts, once; everything was read. */
  readonly onFacts: (facts: ReadonlyMap<string, Fact>) => void;
  readonly onChanges: (changes: SourceChanges) => void;
  readonly onPod: (key: string, pod: PodObject | undefined) => void;
  readonly onNamespaces: (changes: readonly Change<NamespaceObject>[]) => void;
}

export class KubeSource {
  readonly facts: KubeFacts;
  readonly policies: PolicyFacts;
  readonly #options: KubeSourceOptions;
  readonly namespaces: Reflector<unknown>;
  readonly reflectors: readonly Reflector<unknown>[];
  /** Address → Service that has it as ClusterIP. */
  readonly #clusterIps = new Map<string, string>();
  #isRead = false;
  #loadedMs = 0;

  constructor(options: KubeSourceOptions) {
    this.#options = options;
    const { place, trustDomain, version, policyKinds, expectedServices } = options;
    const expected = { expectedCount: expectedServices };
    this.facts = new KubeFacts(place, trustDomain);
    this.namespaces = this.#reflector(NAMESPACES, projectNamespace, {}, (changes) =>
      options.onNamespaces(changes as readonly Change<NamespaceObject>[]),
    );
    this.reflectors = [
      this.#objects("service", SERVICES, projectService, expected),
      this.#objects("slice", ENDPOINT_SLICES, projectSlice, {
        ...expected,
        labelSelector: "kubernetes.io/service-name",
      }),
      this.#objects("pod", PODS, projectPod, {}),
      this.#objects("export", serviceExports(version), projectExport, expected),
      ...policyKinds.map((kind) => this.#policies(kind)),
      this.namespaces,
    ];
    this.policies = new PolicyFacts({
      sight: {
        region: place.region,
        isReady: true,
        ofService: (key, port) => this.#addressesOf(key, port),
        resolve: options.resolve,
      },
      configuredGateway: options.configuredGateway,
      remembered: options.rememberedGateways,
    });
  }

  get synced(): boolean {
    return this.#isRead;
  }

  get status(): Pick<SourceStatus, "file" | "version" | "loadedMs"> {
    return { file: this.#options.name, version: this.#options.version, loadedMs: this.#loadedMs };
  }

  /** A Service of the cluster has this address. */
  isClusterIp(address: string): boolean {
    return this.#clusterIps.has(address);
  }

  start(): void {
    for (const reflector of this.reflectors) reflector.start();
  }

  stop(): void {
    for (const reflector of this.reflectors) reflector.stop();
  }

  #objects<T>(
    kind: ObjectChange["kind"],
    resource: Resource,
    project: (object: Json) => T | undefined,
    more: { readonly labelSelector?: string; readonly expectedCount?: number },
  ): Reflector<unknown> {
    return this.#reflector(resource, project, more, (changes) => {
      for (const change of changes) {
        const value = change.kind === "set" ? change.value : undefined;
        if (kind === "service") this.#serviceIps(change as Change<ServiceObject>);
        if (kind === "pod") this.#options.onPod(change.key, value as PodObject | undefined);
        this.facts.apply({ kind, key: change.key, value } as ObjectChange);
        if (kind === "service") this.policies.addressesChanged(change.key);
        if (kind === "slice") this.#endpointsChanged(change as Change<SliceObject>);
      }
    });
  }

  #policies(kind: PolicyObjectKind): Reflector<unknown> {
    return this.#reflector(
      POLICY_RESOURCES[kind],
      (object) => projectPolicy(kind, object),
      {},
      (changes) => {
        for (const change of changes)
          this.policies.apply(
            kind,
            change.key,
            change.kind === "set" ? (change.value as PolicyObject) : undefined,
          );
      },
    );
  }

  #reflector(
    resource: Resource,
    project: (object: Json) => unknown,
    more: { readonly labelSelector?: string; readonly expectedCount?: number },
    onChanges: (changes: readonly Change<unknown>[]) => void,
  ): Reflector<unknown> {
    const { client, ports } = this.#options;
    return new Reflector<unknown>({
      client,
      ports,
      resource,
      project: project as Project<unknown>,
      ...more,
      onChanges: (changes) => {
        onChanges(changes);
        if (this.#isRead) this.#flush();
      },
      onSynced: () => {
        this.policies.addressesChanged();
        this.#flush();
      },
    });
  }

  #serviceIps(change: Change<ServiceObject>): void {
    for (const ip of change.before?.clusterIps ?? [])
      if (this.#clusterIps.get(ip) === change.key) this.#clusterIps.delete(ip);
    if (change.kind === "set") for (const ip of change.value.clusterIps) this.#clusterIps.set(ip, change.key);
  }

  #endpointsChanged(change: Change<SliceObject>): void {
    const slice = change.kind === "set" ? change.value : change.before;
    if (slice === undefined) return;
    const service = `${slice.namespace}/${slice.service}`;
    this.policies.addressesChanged(service);
    this.#options.onEndpoints(service);
  }

  #addressesOf(key: string, port: number): ServiceAddresses {
    if (!this.reflectors.every(({ synced }) => synced))
      return { kind: "pending", message: "is not known yet" };
    return serviceAddresses(this.facts.services().get(key), port, () => this.facts.nodesOf(key));
  }

  /** Host names may have other addresses now. */
  namesChanged(): void {
    this.policies.addressesChanged();
    if (this.#isRead) this.#flush();
  }

  #flush(): void {
    if (!this.reflectors.every(({ synced }) => synced)) return;
    const { ports, onFacts, onChanges } = this.#options;
    const changes = this.facts.take();
    const policies = this.policies.take();
    this.#loadedMs = ports.clock.nowMs();
    ports.metrics.gauge("hansa_kube_unmeshed_endpoints", this.facts.unmeshedCount);
    const judged = { exports: changes.exports, policies: policies.exports };
    if (this.#isRead) {
      onChanges({
        set: [...changes.set, ...policies.set],
        gone: [...changes.gone, ...policies.gone],
        ...judged,
      });
      return;
    }
    this.#isRead = true;
    onFacts(new Map([...this.facts.all(), ...this.policies.all()]));
    onChanges({ set: [], gone: [], ...judged });
  }
}
