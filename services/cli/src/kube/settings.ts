/** What an installation in Kubernetes is told: from flags, the token, and what is installed already. Pure. */
import { HansaError, parseClusterName } from "@hansa/core";
import type { Ticket } from "../cluster/join-config.ts";
import { needed, words } from "../cluster/token.ts";
import { list, object, strings, text } from "../shell/api.ts";
import { wholeNumber } from "../shell/program.ts";

export interface Settings {
  readonly cluster: string;
  readonly region: string;
  readonly zones: readonly string[];
  readonly network: string;
  readonly cidrs: readonly string[];
  readonly namespaces: readonly string[];
  readonly hub: string;
  readonly nats: readonly string[];
  /** "" = what its Service says: the load balancer's, or those of the nodes that it runs on. */
  readonly address: string;
  readonly port: number;
  readonly serviceType: "LoadBalancer" | "NodePort" | "ClusterIP";
  readonly clusterSetIps: readonly string[];
  readonly serviceCidrs: readonly string[];
  /** For which imports the agent writes EndpointSlices. */
  readonly endpointSlices: "all" | "headless" | "none";
  readonly gatewayMode: boolean;
  /** Whose plain text permissive sidecars take. */
  readonly neighbourCidrs: readonly string[];
  /** The cluster's own DNS is told to forward clusterset.local. */
  readonly patchDns: boolean;
  /** Keys on the pod's own disk: they go with it. */
  readonly ephemeral: boolean;
  readonly storageClass: string;
  readonly agentImage: string;
  readonly gatewayImage: string;
}

type Options = Readonly<Record<string, unknown>>;

const IMAGE = /^[a-z0-9][A-Za-z0-9._:/-]*(@sha256:[0-9a-f]{64})?$/;
const CIDRS = /^[0-9a-fA-F.:]+\/\d{1,3}$/;
/** Meant for benchmarks (RFC 2544), so that no network has them. */
const CLUSTER_SET_IPS = "198.18.0.0/16";

/** `installed`: the agent's configuration in the cluster. Throws HSA1001 for the flag that is missing or wrong. */
export function settingsOf(
  options: Options,
  ticket: Ticket | undefined,
  installed: Options | undefined,
): Settings {
  const before = installed ?? {};
  const { hub, nats, gateway, source } = {
    hub: object(before.hub),
    nats: object(before.nats),
    gateway: object(before.gateway),
    source: object(object(before.source).kubernetes),
  };
  const cluster = ticket?.cluster ?? text(before.cluster);
  if (parseClusterName(cluster) === undefined)
    throw new HansaError(
      "HSA1001",
      "--token is needed; `hansa cluster token NAME` makes one where the hub is",
    );
  const flag = (name: string, given: unknown, kept: readonly string[], form: RegExp): readonly string[] =>
    given === undefined && kept.length > 0 ? kept : words(name, needed(name, given), form);
  const region = needed("--region", options.region ?? (text(before.region) || undefined));
  const type = oneOf("--service", options.service, ["LoadBalancer", "NodePort", "ClusterIP"]);
  const address = options.address === undefined ? text(gateway.address) : String(options.address);
  if (type === "ClusterIP" && address === "")
    throw new HansaError(
      "HSA1001",
      "--address is needed with --service ClusterIP: where do others reach it?",
    );
  const port = wholeNumber("--gateway-port", options.gatewayPort, 1024, 65_535);
  return {
    cluster,
    region,
    zones:
      options.zones === undefined
        ? keptOr(before.zones, [region])
        : words("--zones", options.zones, /^[a-z0-9-]{1,63}$/),
    network: options.network === undefined ? text(before.network) || cluster : String(options.network),
    cidrs: flag("--cidrs", options.cidrs, strings(before.cidrs), CIDRS),
    namespaces: keptOr(before.namespaces, ["*"]),
    hub: hubUrl(options.hub, ticket?.hub[0] ?? text(hub.url)),
    nats: flag("--nats", options.nats, strings(nats.servers), /^(nats|tls):\/\/\S+$/),
    address,
    port: port === 15_443 && gateway.port !== undefined ? Number(gateway.port) : port,
    serviceType: type,
    clusterSetIps:
      options.clusterSetIps === undefined
        ? keptOr(source.clusterSetIps, [CLUSTER_SET_IPS])
        : words("--cluster-set-ips", options.clusterSetIps, CIDRS),
    serviceCidrs: keptOr(source.serviceCidrs, []),
    endpointSlices: oneOf("--endpoint-slices", options.endpointSlices ?? source.endpointSlices ?? "all", [
      "all",
      "headless",
      "none",
    ]),
    gatewayMode:
      oneOf("--gateway-mode", options.gatewayMode ?? (source.gatewayMode === undefined ? "off" : "on"), [
        "on",
        "off",
      ]) === "on",
    neighbourCidrs:
      options.neighbourCidrs === undefined
        ? keptOr(object(source.sidecars).neighbourCidrs, [])
        : words("--neighbour-cidrs", options.neighbourCidrs, CIDRS),
    patchDns: options.patchDns === true,
    ephemeral: options.ephemeral === true,
    storageClass: options.storageClass === undefined ? "" : String(options.storageClass),
    agentImage: image("--agent-image", options.agentImage),
    gatewayImage: image("--gateway-image", options.gatewayImage),
  };
}

const keptOr = (kept: unknown, otherwise: readonly string[]): readonly string[] => {
  const values = strings(kept);
  return values.length > 0 ? values : otherwise;
};

function hubUrl(value: unknown, otherwise: string): string {
  if (value === undefined) return otherwise;
  if (!/^https:\/\/[^/]+$/.test(String(value)))
    throw new HansaError("HSA1001", `--hub ${String(value)}: must be https://HOST:PORT`);
  return String(value);
}

function oneOf<T extends string>(flag: string, value: unknown, known: readonly T[]): T {
  const found = known.find((one) => one === value);
  if (found === undefined)
    throw new HansaError("HSA1001", `${flag} ${String(value)}: must be one of ${known.join(", ")}`);
  return found;
}

/** "" = as the manifests have it. */
function image(flag: string, value: unknown): string {
  if (value === undefined) return "";
  if (!IMAGE.test(String(value)))
    throw new HansaError("HSA1001", `${flag} ${String(value)}: must be REPOSITORY[:TAG][@sha256:DIGEST]`);
  return String(value);
}

/** First address of a Service's load balancer; "" = none yet. */
export const balancerAddress = (service: unknown): string => {
  const [first] = list(object(object(object(service).status).loadBalancer).ingress);
  return text(first?.ip) || text(first?.hostname);
};
