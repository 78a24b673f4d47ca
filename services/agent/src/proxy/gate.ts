/**
 * Nothing is served that does not hold together (design §6): each changed resource is checked with all that it refers
 * to before it enters a layer. What fails keeps its last good version and is reported with HSA5002.
 */
import type { Log, Metrics } from "@hansa/core";
import {
  type ConsistencyOptions,
  compareListenerFrame,
  type FindResource,
  inconsistenciesOf,
  isTypeUrl,
  type ResourceLayer,
  TYPE_URL,
} from "@hansa/xds";
import type { ResourceSet } from "./resource-set.ts";

const SHOWN_MAX = 3;

export interface GateReport {
  readonly log: Log;
  readonly metrics: Metrics;
}

export type ChangeSet = ReadonlyMap<string, ReadonlyMap<string, Uint8Array | null>>;

/** Looks into the change sets in their order, then into the layers. A name in `assumed` exists somewhere above. */
export function findIn(
  sets: readonly ChangeSet[],
  layers: readonly ResourceLayer[],
  assumed: ReadonlySet<string> = new Set(),
): FindResource {
  return (typeUrl, name) => {
    for (const changes of sets) {
      const changed = changes.get(typeUrl)?.get(name);
      if (changed !== undefined) return changed ?? undefined;
    }
    for (const layer of layers) {
      const entry = layer.get(typeUrl, name);
      if (entry !== undefined) return entry.message;
    }
    return assumed.has(name) ? new Uint8Array() : undefined;
  };
}

/** Problems of the changed resources; empty = they may be served. */
export function problemsOf(
  changes: ChangeSet,
  find: FindResource,
  options: ConsistencyOptions = {},
): string[] {
  const problems: string[] = [];
  for (const [typeUrl, resources] of changes)
    for (const [name, bytes] of resources)
      if (bytes !== null && isTypeUrl(typeUrl))
        problems.push(...inconsistenciesOf(typeUrl, name, find, options));
  return problems;
}

export function refuse(what: string, problems: readonly string[], { log, metrics }: GateReport): void {
  metrics.count("hansa_xds_inconsistent_total");
  const more = problems.length > SHOWN_MAX ? ` (and ${problems.length - SHOWN_MAX} more)` : "";
  log.error("xds: resources do not hold together and are not served; the last good ones stay", {
    code: "HSA5002",
    what,
    problems: `${problems.slice(0, SHOWN_MAX).join("; ")}${more}`,
  });
}

/** Makes `layer` hold exactly `set` if that holds together with the layers below. Answers the revision to acknowledge. */
export function replaceChecked(
  what: string,
  layer: ResourceLayer,
  set: ResourceSet,
  below: readonly ResourceLayer[],
  options: ConsistencyOptions,
  report: GateReport,
): number {
  const problems = problemsOf(set, findIn([set], below), options);
  if (problems.length > 0) {
    refuse(what, problems, report);
    return 0;
  }
  for (const [name, bytes] of set.get(TYPE_URL.listener) ?? []) {
    const before = layer.get(TYPE_URL.listener, name)?.message;
    const fields = before === undefined ? [] : compareListenerFrame(before, bytes);
    if (fields.length > 0)
      report.log.warn("xds: a change of a listener itself drains all its connections", {
        proxy: what,
        listener: name,
        fields: fields.join(" "),
      });
  }
  return layer.replace(set);
}
