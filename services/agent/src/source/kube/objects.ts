/**
 * What is kept of each Kubernetes object: the fields that facts and imports need, nothing else. Projections are total;
 * what the API server did not check is judged where facts are made of it.
 */
import type { IpFamily, Transport } from "@hansa/events";
import { INBOUND_MODE, INJECT, PROXY_LABEL } from "@hansa/inject";
import { flag, type Json, list, member, number, record, string, stringList, strings } from "./json.ts";

export interface NamedObject {
  readonly namespace: string;
  readonly name: string;
}

export interface ServicePortObject {
  readonly name: string;
  readonly port: number;
  readonly transport: Transport;
  readonly appProtocol?: string;
  readonly nodePort?: number;
}

export interface ServiceObject extends NamedObject {
  readonly createdMs: number;
  readonly type: string;
  readonly headless: boolean;
  readonly ports: readonly ServicePortObject[];
  readonly ipFamilies: readonly IpFamily[];
  readonly clusterIps: readonly string[];
  readonly sessionAffinity?: "ClientIP";
  readonly clientIpTimeoutSeconds?: number;
  readonly internalTrafficPolicy?: string;
  readonly trafficDistribution?: string;
  /** Addresses and host names of its LoadBalancer. */
  readonly loadBalancer: readonly string[];
}

export interface SliceEndpoint {
  readonly addresses: readonly string[];
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  readonly hostname: string;
  readonly zone: string;
  /** Name of the pod in the slice's namespace; "" where it is none. */
  readonly pod: string;
}

export interface SliceObject extends NamedObject {
  /** Label `kubernetes.io/service-name`. */
  readonly service: string;
  readonly family: IpFamily;
  readonly ports: readonly { readonly name: string; readonly port: number }[];
  readonly endpoints: readonly SliceEndpoint[];
}

export interface PodObject extends NamedObject {
  readonly serviceAccount: string;
  /** Its injected proxy takes mTLS. */
  readonly meshed: boolean;
  readonly uid: string;
  /** Of its node; of gateways alone. */
  readonly nodeIps?: readonly string[];
  /** "" until it has one. */
  readonly ip: string;
  /** What it says of plain text (hansa.dev/inbound), right or wrong. */
  readonly inbound?: string;
}

export interface NamespaceObject {
  readonly inbound?: string;
  /** Its pods may have sidecars: it is labelled. */
  readonly injects?: true;
}

export interface ConditionObject {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
  readonly observedGeneration: number;
}

export interface ExportObject extends NamedObject {
  readonly createdMs: number;
  readonly generation: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Hansa's own annotations of the object itself (`hansa.dev/…`). */
  readonly options: Readonly<Record<string, string>>;
  /** KEP-5939, where the installed CRD has it. */
  readonly clusterSelectors?: unknown;
  readonly conditions: readonly ConditionObject[];
}

/** The chart sets it on gateways. */
export const GATEWAY_LABEL = "hansa.dev/gateway";
const OPTION_PREFIX = "hansa.dev/";
const SERVICE_NAME = "kubernetes.io/service-name";

export const projectName = (object: Json): NamedObject => ({
  namespace: string(record(object, "metadata"), "namespace") ?? "",
  name: string(record(object, "metadata"), "name") ?? "",
});

const createdMsOf = (object: Json): number => {
  const ms = Date.parse(string(record(object, "metadata"), "creationTimestamp") ?? "");
  return Number.isFinite(ms) && ms > 0 ? ms : 0;
};

/** Deletion has begun: finalizers may hold the object, but its owner has taken it back. */
export const isGoing = (object: Json): boolean =>
  string(record(object, "metadata"), "deletionTimestamp") !== undefined;

export function projectService(object: Json): ServiceObject {
  const spec = record(object, "spec");
  const clusterIps = stringList(spec, "clusterIPs");
  const seconds = number(record(record(spec, "sessionAffinityConfig"), "clientIP"), "timeoutSeconds");
  const sticky = string(spec, "sessionAffinity") === "ClientIP";
  const internalTrafficPolicy = string(spec, "internalTrafficPolicy");
  const trafficDistribution = string(spec, "trafficDistribution");
  return {
    ...projectName(object),
    createdMs: createdMsOf(object),
    type: string(spec, "type") ?? "ClusterIP",
    headless: (clusterIps[0] ?? string(spec, "clusterIP")) === "None",
    ports: list(spec, "ports").map(projectPort),
    ipFamilies: stringList(spec, "ipFamilies").filter(isFamily),
    clusterIps: clusterIps.filter((ip) => ip !== "None"),
    loadBalancer: list(record(record(object, "status"), "loadBalancer"), "ingress").flatMap(
      (entry) => string(entry, "ip") ?? string(entry, "hostname") ?? [],
    ),
    ...(sticky ? { sessionAffinity: "ClientIP" as const } : {}),
    ...(sticky && seconds !== undefined ? { clientIpTimeoutSeconds: seconds } : {}),
    ...(internalTrafficPolicy === undefined ? {} : { internalTrafficPolicy }),
    ...(trafficDistribution === undefined ? {} : { trafficDistribution }),
  };
}

const isFamily = (text: string): text is IpFamily => text === "IPv4" || text === "IPv6";

function projectPort(port: unknown): ServicePortObject {
  const transport = string(port, "protocol") ?? "TCP";
  const appProtocol = string(port, "appProtocol");
  const nodePort = number(port, "nodePort");
  return {
    name: string(port, "name") ?? "",
    port: number(port, "port") ?? 0,
    transport: transport === "UDP" || transport === "SCTP" ? transport : "TCP",
    ...(appProtocol === undefined ? {} : { appProtocol }),
    ...(nodePort === undefined ? {} : { nodePort }),
  };
}

/** Absent: any port. Nothing could be said of it. */
const isPort = (value: number | undefined): value is number =>
  Number.isInteger(value) && value !== undefined && value > 0 && value <= 65_535;

/** undefined: of no Service, or of names instead of addresses. */
export function projectSlice(object: Json): SliceObject | undefined {
  const service = strings(record(object, "metadata"), "labels")[SERVICE_NAME];
  const family = string(object, "addressType") ?? "";
  if (service === undefined || !isFamily(family)) return undefined;
  return {
    ...projectName(object),
    service,
    family,
    ports: list(object, "ports").flatMap((port) => {
      const value = number(port, "port");
      return isPort(value) ? [{ name: string(port, "name") ?? "", port: value }] : [];
    }),
    endpoints: list(object, "endpoints").map(projectEndpoint),
  };
}

/** Conditions as the API defines their absence: ready is true, serving is as ready, terminating is false. */
function projectEndpoint(endpoint: unknown): SliceEndpoint {
  const conditions = record(endpoint, "conditions");
  const target = record(endpoint, "targetRef");
  const ready = flag(conditions, "ready") ?? true;
  return {
    addresses: stringList(endpoint, "addresses"),
    ready,
    serving: flag(conditions, "serving") ?? ready,
    terminating: flag(conditions, "terminating") ?? false,
    hostname: string(endpoint, "hostname") ?? "",
    zone: string(endpoint, "zone") ?? "",
    pod: string(target, "kind") === "Pod" ? (string(target, "name") ?? "") : "",
  };
}

/** undefined: nothing can be made in it any more. */
export function projectNamespace(object: Json): NamespaceObject | undefined {
  if (isGoing(object)) return undefined;
  const labels = strings(record(object, "metadata"), "labels");
  return { ...inboundIn(labels), ...(labels[INJECT] === undefined ? {} : { injects: true }) };
}

const inboundIn = ({ [INBOUND_MODE]: inbound }: Readonly<Record<string, string>>): NamespaceObject =>
  inbound === undefined ? {} : { inbound };

export function projectPod(object: Json): PodObject {
  const labels = strings(record(object, "metadata"), "labels");
  const status = record(object, "status");
  return {
    ...projectName(object),
    serviceAccount: string(record(object, "spec"), "serviceAccountName") ?? "default",
    meshed: labels[PROXY_LABEL] === "sidecar",
    uid: string(record(object, "metadata"), "uid") ?? "",
    ip: string(status, "podIP") ?? "",
    ...inboundIn(strings(record(object, "metadata"), "annotations")),
    ...(labels[GATEWAY_LABEL] === undefined
      ? {}
      : { nodeIps: list(status, "hostIPs").flatMap((entry) => string(entry, "ip") ?? []) }),
  };
}

/** undefined: being deleted, which is an unexport. */
export function projectExport(object: Json): ExportObject | undefined {
  if (isGoing(object)) return undefined;
  const metadata = record(object, "metadata");
  const spec = record(object, "spec");
  const clusterSelectors = member(spec, "clusterSelectors");
  return {
    ...projectName(object),
    createdMs: createdMsOf(object),
    generation: number(metadata, "generation") ?? 0,
    labels: strings(spec, "exportedLabels"),
    annotations: strings(spec, "exportedAnnotations"),
    options: Object.fromEntries(
      Object.entries(strings(metadata, "annotations")).filter(([key]) => key.startsWith(OPTION_PREFIX)),
    ),
    ...(clusterSelectors === undefined ? {} : { clusterSelectors }),
    conditions: list(record(object, "status"), "conditions").map(projectCondition),
  };
}

export const projectCondition = (condition: unknown): ConditionObject => ({
  type: string(condition, "type") ?? "",
  status: string(condition, "status") ?? "",
  reason: string(condition, "reason") ?? "",
  message: string(condition, "message") ?? "",
  lastTransitionTime: string(condition, "lastTransitionTime") ?? "",
  observedGeneration: number(condition, "observedGeneration") ?? 0,
});
