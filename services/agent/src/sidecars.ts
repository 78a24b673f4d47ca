/**
 * Proxies in pods of one Kubernetes cluster: the door by which sidecars and gateways come for their configuration, the webhook that
 * injects sidecars, and the TLS of both. Any agent answers; only the elected one writes what tells the cluster of its roots.
 */
import { type AdsStatus, type Door, openDoor, Streams } from "@hansa/ads";
import { type KeyStore, nodeCrypto } from "@hansa/identity";
import { DISABLED, ENABLED, INJECT, type Inbound, type InjectSettings, TOKEN_AUDIENCE } from "@hansa/inject";
import { Applier, codeOf, type KubeClient, type KubePorts, reviewToken } from "@hansa/kube";
import type { ResourceLayer } from "@hansa/xds";
import type { AgentConfig } from "./config.ts";
import { ServingTls } from "./identity/serving-tls.ts";
import type { ClusterIpsOf } from "./proxy/cluster-ips.ts";
import { type GatewayAccount, GatewayPods } from "./proxy/door/gateway-pods.ts";
import { ProxyDoor } from "./proxy/door/proxy-door.ts";
import { TokenReviews } from "./proxy/door/token-reviews.ts";
import type { PlaneOptions, ProxyServer } from "./proxy/plane-options.ts";
import type { VipsOf } from "./proxy/zone-layer.ts";
import {
  POLICIES_PATH,
  policiesConfiguration,
  SIDECARS_PATHS,
  sidecarsConfiguration,
} from "./webhook/configuration.ts";
import { reviewPod } from "./webhook/pod-review.ts";
import { type AdmissionSight, reviewPolicy } from "./webhook/policy-review.ts";
import { SidecarRoots } from "./webhook/roots.ts";
import { openWebhook, type WebhookOptions, type WebhookServer } from "./webhook/server.ts";

export type SidecarsConfig = NonNullable<NonNullable<AgentConfig["source"]["kubernetes"]>["sidecars"]>;

export interface SidecarsOptions {
  readonly config: SidecarsConfig;
  readonly client: KubeClient;
  readonly store: KeyStore;
  readonly cluster: string;
  readonly ports: KubePorts;
  readonly mayWrite: () => boolean;
  readonly admission: AdmissionSight;
  /** Whose pods are the cluster's gateway; absent: it is beside the agent. */
  readonly gateway?: GatewayAccount | undefined;
}

const advertised = ({ host, webhook }: SidecarsConfig): string => webhook?.advertised ?? host;

const TURN_MS = 2000;
/** What somebody changed or removed is put right within this. */
const REPEAT_MS = 60_000;
/** Leaves last 30 days. */
const RENEW_MS = 86_400_000;
/** A stream ends after an hour at most, as long as a projected token lives, and its proxy shows the next one. */
const STREAM_AGE_MS_MAX = 3_600_000;

const NO_STREAMS: AdsStatus = { streams: 0, types: [] };

export class Sidecars {
  readonly #options: SidecarsOptions;
  readonly #tls: ServingTls;
  readonly #proxies: ProxyDoor;
  readonly #applier: Applier;
  #door: Door | undefined;
  #webhook: WebhookServer | undefined;
  readonly #roots: SidecarRoots;
  #appliedMs: number | undefined;
  /** The bundle that the API server has. */
  #applied = "";
  #isApplying = false;
  #renewedMs: number;
  #stops: (() => void)[] = [];

  constructor(options: SidecarsOptions) {
    const { config, client, store, cluster, ports, mayWrite } = options;
    this.#options = options;
    const names = [...new Set([config.host, config.listen.host, advertised(config)])];
    this.#tls = new ServingTls({ store, cluster, names, ports });
    const reviews = new TokenReviews({
      review: (token) => reviewToken(client, token, [TOKEN_AUDIENCE]),
      sha256: nodeCrypto.sha256,
      clock: ports.clock,
    });
    this.#proxies = new ProxyDoor({ review: (token) => reviews.review(token), timers: ports.timers });
    this.#applier = new Applier({ client, ports, mayWrite });
    this.#roots = new SidecarRoots({
      applier: this.#applier,
      ports,
      bundlePem: () => this.bundlePem,
      onWritten: () => this.#published(),
    });
    if (options.gateway !== undefined) this.#roots.namespace(options.gateway.namespace, true);
    this.#renewedMs = ports.clock.monotonicMs();
  }

  /** PEM of every root that the agent's certificate may chain to, during a rotation old and new. */
  get bundlePem(): string {
    return this.#tls.bundlePem;
  }

  get settings(): InjectSettings {
    const { config, cluster } = this.#options;
    const { host, listen, proxyImage, rulesImage, excludeOutboundCidrs } = config;
    return {
      cluster,
      proxyImage,
      rulesImage,
      agent: { host, port: listen.port },
      excludeOutboundCidrs,
    };
  }

  /** Throws HSA1012 where an address is taken. */
  async start(): Promise<void> {
    const { config, ports } = this.#options;
    const tls = this.#tls.issue();
    this.#door = await openDoor({
      ...config.listen,
      ...ports,
      tls,
      admit: (authorization) => this.#proxies.admit(authorization),
    });
    if (config.webhook !== undefined)
      this.#webhook = await openWebhook({
        ...config.webhook,
        tls,
        reviewers: this.#reviewers(),
        metrics: ports.metrics,
      });
    const turns = ports.timers.every(TURN_MS, () => this.turn());
    this.#stops.push(() => turns.cancel());
    this.turn();
  }

  #reviewers(): WebhookOptions["reviewers"] {
    const { admission } = this.#options;
    return {
      [SIDECARS_PATHS.enabled]: (text) => reviewPod(text, { [INJECT]: ENABLED }, this.settings),
      [SIDECARS_PATHS.annotated]: (text) => reviewPod(text, { [INJECT]: DISABLED }, this.settings),
      [POLICIES_PATH]: (text) => reviewPolicy(text, admission),
    };
  }

  async stop(): Promise<void> {
    for (const stop of this.#stops.splice(0)) stop();
    this.#applier.stop();
    await Promise.all([this.#door?.close(), this.#webhook?.close()]);
  }

  /** Certificates and the webhook's configuration, where one of them is due. */
  turn(wallMs = this.#options.ports.clock.nowMs()): void {
    const { clock } = this.#options.ports;
    const nowMs = clock.monotonicMs();
    const stepped = this.#tls.step(wallMs);
    if (stepped || nowMs - this.#renewedMs >= RENEW_MS) {
      this.#renewedMs = nowMs;
      const tls = this.#tls.issue();
      this.#door?.setTls(tls);
      this.#webhook?.setTls(tls);
    }
    const isDue = stepped || this.#appliedMs === undefined || nowMs - this.#appliedMs >= REPEAT_MS;
    if (!this.#options.mayWrite()) return;
    if (isDue && !this.#isApplying) void this.#apply();
    this.#roots.turn();
  }

  /** What the source has read: pods of a namespace that is labelled need the agent's roots there. */
  namespace(name: string, injects: boolean): void {
    this.#roots.namespace(name, injects || name === this.#options.gateway?.namespace);
    // Pods of it may be waiting for them.
    if (injects && this.#options.mayWrite()) this.#roots.turn();
  }

  pod(key: string, isMeshed: boolean): void {
    const [namespace = "", name = ""] = key.split("/");
    this.#roots.pod(namespace, name, isMeshed);
  }

  /** A root signs once everybody who is to trust it has it. */
  #published(): void {
    const { bundlePem } = this;
    if (this.#applied === bundlePem && this.#roots.hasEverywhere(bundlePem)) this.#tls.published(bundlePem);
  }

  async #apply(): Promise<void> {
    const { config, client, ports } = this.#options;
    this.#isApplying = true;
    const { bundlePem } = this;
    const place = { host: advertised(config), port: config.webhook?.port ?? 0 };
    const writes =
      config.webhook === undefined
        ? []
        : [
            sidecarsConfiguration(place, bundlePem, client.namespace),
            policiesConfiguration(place, bundlePem),
          ];
    const written = await Promise.all(writes.map((write) => this.#applier.write(write)));
    this.#isApplying = false;
    for (const one of written)
      if ("problem" in one)
        ports.log.error("sidecars: a webhook's configuration cannot be written", {
          code: codeOf(one.problem),
          reason: one.problem.message,
        });
    if (!written.every(({ outcome }) => outcome === "applied")) return;
    this.#appliedMs = ports.clock.monotonicMs();
    this.#applied = bundlePem;
    this.#published();
  }

  /** Lets the proxy in to these layers; undefined: it does not come by this door. */
  serve(...[proxy, layers, onAck, onCome]: Parameters<PlaneOptions["serve"]>): ProxyServer | undefined {
    const open = (owner: string): Streams => this.#streams(owner, layers, onAck);
    if (proxy.kind === "gateway") {
      const { gateway } = this.#options;
      if (gateway === undefined) return undefined;
      const pods = new GatewayPods(gateway, () => open(proxy.id));
      return pods.server(this.#proxies.addGateway(pods));
    }
    if (proxy.pod === undefined) return undefined;
    const { pod } = proxy;
    // Most pods of a large cluster ask another agent, or none.
    let streams: Streams | undefined;
    const known = {
      pod,
      streams: () => {
        streams ??= open(`${pod.namespace}/${pod.name}`);
        return streams;
      },
      onCome,
    };
    this.#proxies.add(known);
    return {
      ackedRevision: () => streams?.ackedRevision(),
      status: () => streams?.status() ?? NO_STREAMS,
      close: async () => {
        this.#proxies.remove(known);
        streams?.close();
      },
    };
  }

  #streams(owner: string, layers: readonly ResourceLayer[], onAck: () => void): Streams {
    const { ports } = this.#options;
    return new Streams({
      layers,
      owner,
      ...ports,
      // Not all at once an hour after the agent's start.
      streamAgeMsMax: STREAM_AGE_MS_MAX * (0.75 + 0.25 * ports.random.float()),
      onAck,
      onNack: onAck,
      onEnd: onAck,
    });
  }
}

/** Where sidecars are injected, they take connections by cluster-set address: IPv4 alone, as the injector's rules. */
export function takenIn(
  { kubernetes }: AgentConfig["source"],
  addresses: { readonly of: VipsOf; readonly clusterIps: ClusterIpsOf },
): Pick<PlaneOptions, "vips" | "neighbours"> {
  if (kubernetes?.sidecars?.webhook === undefined) return {};
  const ranges = kubernetes.clusterSetIps.filter((range) => !range.includes(":"));
  return { vips: { ranges, ...addresses }, neighbours: kubernetes.sidecars.neighbourCidrs };
}

/** What pods take where nothing else is said; undefined where the ranges of neighbours are not known. */
export const inboundIn = ({ kubernetes }: AgentConfig["source"]): Inbound | undefined =>
  (kubernetes?.sidecars?.neighbourCidrs.length ?? 0) === 0 ? undefined : kubernetes?.sidecars?.inbound;
