/**
 * What is to be written for one service so that the API server shows what the fold says: applies, statuses and deletions.
 * Pure and idempotent: where all is as it should be, nothing. Asked for only after everything was read.
 */
import { sameJson } from "@hansa/core";
import type { Json } from "../source/kube/json.ts";
import type { ConditionObject, NamedObject } from "../source/kube/objects.ts";
import type { Assigned } from "./cluster-set-ips.ts";
import { importConditions } from "./conditions.ts";
import type { ServedImport } from "./imports.ts";
import {
  MCS_CLUSTER_LABEL,
  MCS_GROUP,
  MCS_SERVICE_LABEL,
  type McsVersion,
  SLICE_MANAGED_BY,
  SLICE_MANAGER,
} from "./names.ts";
import type { ActualImport, McsSlice } from "./objects.ts";
import { desiredImport, importBody, importProblem, isApplied } from "./service-import.ts";
import { desiredSlices } from "./slices.ts";

export type WrittenKind = "ServiceImport" | "ServiceExport" | "EndpointSlice";

export type Write = NamedObject &
  (
    | { readonly verb: "apply" | "status"; readonly kind: WrittenKind; readonly body: Json }
    /** `uid`: of the object that is meant, where it is known; a new one of the same name is not. */
    | { readonly verb: "delete"; readonly kind: WrittenKind; readonly uid?: string }
  );

export interface ServiceState extends NamedObject {
  /** What it shall be; undefined: nobody exports it to this cluster. */
  readonly served: ServedImport | undefined;
  readonly assigned: Assigned | undefined;
  readonly actual: ActualImport | undefined;
  readonly slices: readonly McsSlice[];
  /** Own export, with the conditions that it shall have. */
  readonly exported:
    | { readonly before: readonly ConditionObject[]; readonly conditions: readonly ConditionObject[] }
    | undefined;
}

export interface PlanContext {
  readonly version: McsVersion;
  readonly hash: (text: string) => string;
  readonly now: string;
}

export interface Plan {
  readonly writes: readonly Write[];
  /** A ServiceImport of that name is not Hansa's: it is left alone (HSA4011). */
  readonly foreign: boolean;
}

export function planService(state: ServiceState, context: PlanContext): Plan {
  const { actual, served } = state;
  const foreign = actual !== undefined && !actual.ours && served !== undefined;
  const writes = [
    ...(foreign ? sliceWrites(state, [], context.version) : importWrites(state, context)),
    ...exportWrites(state, context),
  ];
  return { writes, foreign };
}

function importWrites(state: ServiceState, context: PlanContext): Write[] {
  const { actual, served, assigned, namespace, name } = state;
  if (served === undefined) {
    const mine = actual?.ours === true ? actual : undefined;
    const gone: Write[] =
      mine === undefined ? [] : [{ verb: "delete", kind: "ServiceImport", namespace, name, uid: mine.uid }];
    return [...gone, ...sliceWrites(state, [], context.version)];
  }
  const desired = desiredImport(served, context.hash);
  const writes: Write[] = [];
  if (actual === undefined || !isApplied(desired, actual))
    writes.push({
      verb: "apply",
      kind: "ServiceImport",
      namespace,
      name,
      body: importBody(context.version, desired),
    });
  // Its status, and slices that it owns, need the object: they follow when the API server tells of it.
  if (actual === undefined) return [...writes, ...sliceWrites(state, [], context.version)];
  const clusters = served.clusters.map(({ cluster }) => cluster as string);
  const conditions = importConditions(importProblem(assigned), {
    generation: actual.generation,
    before: actual.conditions,
    now: context.now,
  });
  if (!sameJson(actual.clusters, clusters) || !sameConditions(actual.conditions, conditions))
    writes.push(
      statusOf("ServiceImport", state, context, {
        clusters: clusters.map((cluster) => ({ cluster })),
        conditions,
      }),
    );
  return [...writes, ...sliceWrites(state, desiredSlices(served, state.slices, actual.uid), context.version)];
}

function exportWrites(state: ServiceState, context: PlanContext): Write[] {
  const { exported } = state;
  if (exported === undefined || sameConditions(exported.before, exported.conditions)) return [];
  return [statusOf("ServiceExport", state, context, { conditions: exported.conditions })];
}

const statusOf = (
  kind: "ServiceImport" | "ServiceExport",
  { namespace, name }: NamedObject,
  { version }: PlanContext,
  status: Json,
): Write => ({
  verb: "status",
  kind,
  namespace,
  name,
  body: { apiVersion: `${MCS_GROUP}/${version}`, kind, metadata: { namespace, name }, status },
});

/** Conditions of other types are somebody else's. */
const sameConditions = (actual: readonly ConditionObject[], wanted: readonly ConditionObject[]): boolean =>
  wanted.every((condition) =>
    sameJson(
      actual.find(({ type }) => type === condition.type),
      condition,
    ),
  ) &&
  OWN_CONDITIONS.every(
    (own) => actual.some(({ type }) => type === own) === wanted.some(({ type }) => type === own),
  );

const OWN_CONDITIONS: readonly string[] = ["Valid", "Ready", "Conflict"];

function sliceWrites(
  { slices, namespace }: ServiceState,
  desired: readonly McsSlice[],
  version: McsVersion,
): Write[] {
  const writes: Write[] = [];
  for (const slice of desired) {
    const actual = slices.find(({ name }) => name === slice.name);
    if (actual === undefined || !sameJson(actual, slice))
      writes.push({
        verb: "apply",
        kind: "EndpointSlice",
        namespace,
        name: slice.name,
        body: sliceBody(slice, version),
      });
  }
  for (const { name } of slices)
    if (!desired.some((slice) => slice.name === name))
      writes.push({ verb: "delete", kind: "EndpointSlice", namespace, name });
  return writes;
}

const sliceBody = (slice: McsSlice, version: McsVersion): Json => ({
  apiVersion: "discovery.k8s.io/v1",
  kind: "EndpointSlice",
  metadata: {
    namespace: slice.namespace,
    name: slice.name,
    labels: {
      [MCS_SERVICE_LABEL]: slice.service,
      [MCS_CLUSTER_LABEL]: slice.cluster,
      [SLICE_MANAGED_BY]: SLICE_MANAGER,
    },
    ownerReferences: [
      {
        apiVersion: `${MCS_GROUP}/${version}`,
        kind: "ServiceImport",
        name: slice.service,
        uid: slice.ownerUid,
        controller: false,
      },
    ],
  },
  addressType: slice.family,
  ports: slice.ports,
  endpoints: slice.endpoints,
});
