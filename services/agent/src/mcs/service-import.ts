/** The ServiceImport that an import shall be, and whether an actual one is that already. */
import { canonicalJson, sameJson } from "@hansa/core";
import type { Json } from "../source/kube/json.ts";
import type { Assigned } from "./cluster-set-ips.ts";
import type { ImportProblem } from "./conditions.ts";
import type { ServedImport } from "./imports.ts";
import { APPLIED, MANAGED_BY } from "./names.ts";
import type { ActualImport } from "./objects.ts";

export interface DesiredImport {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: Json;
  /** Hash of the above. */
  readonly applied: string;
}

/** `hash`: of a text, a label value long. */
export function desiredImport(service: ServedImport, hash: (text: string) => string): DesiredImport {
  const { namespace, name } = service;
  const { [MANAGED_BY]: _manager, ...labels } = service.labels;
  const { [APPLIED]: _applied, ...annotations } = service.annotations;
  const spec = specOf(service);
  return {
    namespace,
    name,
    labels,
    annotations,
    spec,
    applied: hash(canonicalJson([labels, annotations, spec])),
  };
}

function specOf(service: ServedImport): Json {
  const { clientIpTimeoutSeconds, internalTrafficPolicy, trafficDistribution } = service;
  return {
    type: service.type,
    ports: service.ports.map(({ name, port, transport, appProtocol }) => ({
      ...(name === "" ? {} : { name }),
      port,
      protocol: transport,
      ...(appProtocol === undefined ? {} : { appProtocol }),
    })),
    ...(service.ipFamilies.length === 0 ? {} : { ipFamilies: service.ipFamilies }),
    ...(service.ips.length === 0 ? {} : { ips: service.ips }),
    // KEP-1645: ignored when type is Headless.
    ...(service.type === "Headless" ? {} : { sessionAffinity: service.sessionAffinity }),
    ...(service.type === "Headless" || clientIpTimeoutSeconds === undefined
      ? {}
      : { sessionAffinityConfig: { clientIP: { timeoutSeconds: clientIpTimeoutSeconds } } }),
    ...(internalTrafficPolicy === undefined ? {} : { internalTrafficPolicy }),
    ...(trafficDistribution === undefined ? {} : { trafficDistribution }),
  };
}

/** Nothing of it was changed since it was applied. What others added is theirs: the hash tells what we took back. */
export const isApplied = (desired: DesiredImport, actual: ActualImport): boolean =>
  actual.applied === desired.applied &&
  Object.entries(desired.spec).every(([field, value]) => sameJson(actual.spec[field], value)) &&
  has(actual.labels, desired.labels) &&
  has(actual.annotations, desired.annotations);

const has = (actual: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): boolean =>
  Object.entries(wanted).every(([key, value]) => actual[key] === value);

/** Why an import has no address in some family; undefined where nothing is wrong. */
export function importProblem(assigned: Assigned | undefined): ImportProblem | undefined {
  if (assigned === undefined) return undefined;
  const { exhausted, unsupported, ips } = assigned;
  if (exhausted.length > 0)
    return {
      reason: "Pending",
      message: `HSA4010: the pool of cluster-set IPs is used up for ${exhausted.join(" and ")}`,
    };
  if (ips.length > 0) return undefined;
  return {
    reason: "IPFamilyNotSupported",
    message: `this cluster has no pool of cluster-set IPs for ${unsupported.join(" and ")}`,
  };
}
