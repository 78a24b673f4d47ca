/** What the writer keeps of the objects that it writes, and what it wants them to be. Projections are total. */
import type { IpFamily } from "@hansa/events";
import { type Json, list, number, record, string, stringList, strings } from "../source/kube/json.ts";
import { type ConditionObject, isGoing, type NamedObject, projectCondition } from "../source/kube/objects.ts";
import {
  APPLIED,
  MANAGED_BY,
  MANAGER,
  MCS_CLUSTER_LABEL,
  MCS_SERVICE_LABEL,
  SLICE_MANAGED_BY,
  SLICE_MANAGER,
} from "./names.ts";

/** A ServiceImport as it is. */
export interface ActualImport extends NamedObject {
  readonly uid: string;
  readonly generation: number;
  /** Hansa made it. */
  readonly ours: boolean;
  readonly applied: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: Json;
  readonly clusters: readonly string[];
  readonly conditions: readonly ConditionObject[];
}

export interface SliceEndpointJson {
  readonly addresses: readonly string[];
  readonly conditions: { readonly ready: boolean; readonly serving: boolean; readonly terminating: boolean };
  readonly hostname?: string;
  readonly zone?: string;
}

export interface SlicePortJson {
  readonly name: string;
  readonly protocol: string;
  readonly port: number;
  readonly appProtocol?: string;
}

/** An EndpointSlice that Hansa made, as it is or as it shall be. */
export interface McsSlice extends NamedObject {
  readonly service: string;
  readonly cluster: string;
  readonly family: IpFamily;
  readonly ports: readonly SlicePortJson[];
  readonly endpoints: readonly SliceEndpointJson[];
  /** Of the ServiceImport that owns it. */
  readonly ownerUid: string;
}

export interface ActualSlice {
  readonly uid: string;
  readonly slice: McsSlice;
}

export function projectImport(object: Json): ActualImport | undefined {
  if (isGoing(object)) return undefined;
  const metadata = record(object, "metadata");
  const status = record(object, "status");
  const { [APPLIED]: applied = "", ...annotations } = strings(metadata, "annotations");
  const { [MANAGED_BY]: manager, ...labels } = strings(metadata, "labels");
  return {
    namespace: string(metadata, "namespace") ?? "",
    name: string(metadata, "name") ?? "",
    uid: string(metadata, "uid") ?? "",
    generation: number(metadata, "generation") ?? 0,
    ours: manager === MANAGER,
    applied,
    labels,
    annotations,
    spec: record(object, "spec"),
    clusters: list(status, "clusters").flatMap((item) => string(item, "cluster") ?? []),
    conditions: list(status, "conditions").map(projectCondition),
  };
}

/** IPs of a ServiceImport, for `ClusterSetIps.restore`. */
export const ipsOf = ({ spec }: ActualImport): readonly string[] => stringList(spec, "ips");

/** undefined: not one of Hansa's. */
export function projectMcsSlice(object: Json): ActualSlice | undefined {
  const metadata = record(object, "metadata");
  const labels = strings(metadata, "labels");
  const { [MCS_SERVICE_LABEL]: service, [MCS_CLUSTER_LABEL]: cluster } = labels;
  if (labels[SLICE_MANAGED_BY] !== SLICE_MANAGER || service === undefined || cluster === undefined)
    return undefined;
  return {
    uid: string(metadata, "uid") ?? "",
    slice: {
      namespace: string(metadata, "namespace") ?? "",
      name: string(metadata, "name") ?? "",
      service,
      cluster,
      family: string(object, "addressType") === "IPv6" ? "IPv6" : "IPv4",
      ports: list(object, "ports").map(slicePort),
      endpoints: list(object, "endpoints").map(sliceEndpoint),
      ownerUid: string(list(metadata, "ownerReferences")[0], "uid") ?? "",
    },
  };
}

function slicePort(port: unknown): SlicePortJson {
  const appProtocol = string(port, "appProtocol");
  return {
    name: string(port, "name") ?? "",
    protocol: string(port, "protocol") ?? "TCP",
    port: number(port, "port") ?? 0,
    ...(appProtocol === undefined ? {} : { appProtocol }),
  };
}

function sliceEndpoint(endpoint: unknown): SliceEndpointJson {
  const conditions = record(endpoint, "conditions");
  const hostname = string(endpoint, "hostname");
  const zone = string(endpoint, "zone");
  return {
    addresses: stringList(endpoint, "addresses"),
    conditions: {
      ready: conditions.ready === true,
      serving: conditions.serving === true,
      terminating: conditions.terminating === true,
    },
    ...(hostname === undefined ? {} : { hostname }),
    ...(zone === undefined ? {} : { zone }),
  };
}
