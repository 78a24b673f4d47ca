/**
 * Where exporters disagree (federation §1.7, KEP-1645 Conflict condition). Every importer computes the same list from
 * the same exports; it is reported to all constituent exports.
 */
import { portKeyOf, type ServicePort } from "@hansa/events";
import { type Exporter, type MergedPort, twinOf } from "./merge.ts";
import type { Conflict } from "./types.ts";

/** Conflicts of the whole service, by field. `oldestFirst` are its exporters. */
export function serviceConflicts(oldestFirst: readonly Exporter[]): Conflict[] {
  return [
    ...disagreement("type", "TypeConflict", oldestFirst, ({ service }) => service.type),
    ...disagreement("ports", "PortConflict", oldestFirst, ({ service }) => portsText(service.ports)),
  ];
}

/** Conflicts of one merged port: exporters that have it under another number, name or protocol. */
export function portConflicts(
  oldestFirst: readonly Exporter[],
  merged: readonly MergedPort[],
  port: MergedPort,
): Conflict[] {
  const own = (exporter: Exporter): ServicePort | undefined =>
    exporter.service.ports.find((candidate) => twinOf(candidate, merged) === port);
  const having = oldestFirst.filter((exporter) => own(exporter) !== undefined);
  const field = (part: keyof ServicePort): Conflict[] =>
    disagreement(`ports[${port.portKey}].${part}`, "PortConflict", having, (exporter) =>
      String(own(exporter)?.[part]),
    );
  return [...field("name"), ...field("port"), ...field("protocol")];
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
  oldestFirst: readonly Exporter[],
  valueIn: (exporter: Exporter) => string,
): Conflict[] {
  const oldest = oldestFirst[0];
  if (oldest === undefined) return [];
  const value = valueIn(oldest);
  const others = oldestFirst.filter((exporter) => valueIn(exporter) !== value).length;
  if (others === 0) return [];
  const share = `${others}/${oldestFirst.length} clusters disagree.`;
  const message = `Conflicting ${field}. Using ${value === "" ? '""' : value} from oldest export in ${oldest.cluster}. ${share}`;
  return [{ field, reason, message }];
}

const portsText = (ports: readonly ServicePort[]): string =>
  ports
    .map((port) => `${portKeyOf(port)}:${port.port}/${port.protocol}`)
    .sort()
    .join(" ");
