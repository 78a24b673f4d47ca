/**
 * Where exporters disagree (federation §1.7, KEP-1645 Conflict condition). Every importer computes the same list from
 * the same exports; it is reported to all constituent exports.
 */
import { canonicalJson } from "@hansa/core";
import { portKeyOf, type ServicePort } from "@hansa/events";
import { type MergedPort, type Offer, twinOf } from "./merge.ts";
import type { Conflict } from "./types.ts";

/** Beyond it a value is cut in the message: a condition holds 32 768 characters in all. */
const VALUE_SHOWN_MAX = 256;

/** Conflicts of the whole service, by field (§10.1). `oldestFirst` are its exporters. */
export function serviceConflicts(oldestFirst: readonly Offer[]): Conflict[] {
  const field = (name: string, reason: string, valueIn: (offer: Offer) => string): Conflict[] =>
    disagreement(name, reason, oldestFirst, valueIn);
  const sticky = oldestFirst.filter(({ service }) => service.sessionAffinity !== undefined);
  const familied = oldestFirst.filter(({ service }) => service.ipFamilies !== undefined);
  return [
    ...field("type", "TypeConflict", ({ service }) => service.type),
    ...field("ports", "PortConflict", ({ service }) => portsText(service.ports)),
    ...field(
      "sessionAffinity",
      "SessionAffinityConflict",
      ({ service }) => service.sessionAffinity ?? "None",
    ),
    ...disagreement("sessionAffinityConfig", "SessionAffinityConfigConflict", sticky, ({ service }) =>
      String(service.clientIpTimeoutSeconds ?? ""),
    ),
    ...field(
      "internalTrafficPolicy",
      "InternalTrafficPolicyConflict",
      ({ service }) => service.internalTrafficPolicy ?? "Cluster",
    ),
    ...field(
      "trafficDistribution",
      "TrafficDistributionConflict",
      ({ service }) => service.trafficDistribution ?? "",
    ),
    // Another order alone reaches the same backends.
    ...disagreement("ipFamilies", "IPFamilyConflict", familied, ({ service }) =>
      [...(service.ipFamilies ?? [])].sort().join(","),
    ),
    ...field("exportedLabels", "LabelsConflict", ({ service }) =>
      canonicalJson(service.export?.labels ?? {}),
    ),
    ...field("exportedAnnotations", "AnnotationsConflict", ({ service }) =>
      canonicalJson(service.export?.annotations ?? {}),
    ),
    ...field("clusterSelectors", "ClusterSelectorsConflict", ({ service }) =>
      canonicalJson([service.export?.clusterSelectors ?? [], service.export?.selectorsFallback ?? "All"]),
    ),
  ];
}

/** Conflicts of one merged port: exporters that have it under another number, name or protocol. */
export function portConflicts(
  oldestFirst: readonly Offer[],
  merged: readonly MergedPort[],
  port: MergedPort,
): Conflict[] {
  const own = (exporter: Offer): ServicePort | undefined =>
    exporter.service.ports.find((candidate) => twinOf(candidate, merged) === port);
  const having = oldestFirst.filter((exporter) => own(exporter) !== undefined);
  const field = (part: keyof ServicePort): Conflict[] =>
    disagreement(`ports[${port.portKey}].${part}`, "PortConflict", having, (exporter) =>
      String(own(exporter)?.[part] ?? ""),
    );
  return [...field("name"), ...field("port"), ...field("protocol"), ...field("transport")];
}

/** The one condition that sums them up: reasons sorted and joined by commas. */
export function conflictCondition(conflicts: readonly Conflict[]): {
  readonly reason: string;
  readonly message: string;
} {
  if (conflicts.length === 0) return { reason: "NoConflicts", message: "" };
  return {
    reason: [...new Set(conflicts.map((conflict) => conflict.reason))].sort().join(","),
    message: conflicts.map((conflict) => conflict.message).join(" "),
  };
}

function disagreement(
  field: string,
  reason: string,
  oldestFirst: readonly Offer[],
  valueIn: (exporter: Offer) => string,
): Conflict[] {
  const oldest = oldestFirst[0];
  if (oldest === undefined) return [];
  const value = valueIn(oldest);
  const others = oldestFirst.filter((exporter) => valueIn(exporter) !== value).length;
  if (others === 0) return [];
  const share = `${others}/${oldestFirst.length} clusters disagree.`;
  const message = `Conflicting ${field}. Using ${shownValue(value)} from oldest export in ${oldest.cluster}. ${share}`;
  return [{ field, reason, message }];
}

function shownValue(value: string): string {
  if (value === "") return '""';
  return value.length > VALUE_SHOWN_MAX ? `${value.slice(0, VALUE_SHOWN_MAX)}…` : value;
}

const portsText = (ports: readonly ServicePort[]): string => ports.map(portText).sort().join(" ");

/** `http:80/http`, `dns:53/UDP`, with an appProtocol that says more than the protocol does. */
function portText(port: ServicePort): string {
  const { transport, protocol, appProtocol } = port;
  const shown = `${portKeyOf(port)}:${port.port}/${transport ?? protocol}`;
  return appProtocol === undefined || appProtocol === protocol ? shown : `${shown} (${appProtocol})`;
}
