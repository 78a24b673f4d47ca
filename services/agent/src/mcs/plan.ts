/**
 * What is to be written for one service so that the API server shows what the fold says: applies, statuses and deletions.
 * Pure and idempotent: where all is as it should be, nothing. Asked for only after everything was read.
 */
import { sameJson } from "@hansa/core";
import { ENDPOINT_SLICES, type McsVersion, serviceExports, serviceImports, type Write } from "@hansa/kube";
import type { Json } from "../source/kube/json.ts";
import type { ConditionObject, NamedObject } from "../source/kube/objects.ts";
import type { Assigned } from "./cluster-set-ips.ts";
import { importConditions } from "./conditions.ts";
import type { ServedImport } from "./imports.ts";
import {
  APPLIED,
  FIELD_MANAGER,
  MANAGED_BY,
  MANAGER,
  MCS_CLUSTER_LABEL,
  MCS_GROUP,
  MCS_SERVICE_LABEL,
  SLICE_MANAGED_BY,
  SLICE_MANAGER,
  STATUS_MANAGER,
} from "./names.ts";
import type { ActualImport, ActualSlice, McsSlice } from "./objects.ts";
import { type DesiredImport, desiredImport, importProblem, isApplied } from "./service-import.ts";
import { desiredSlices } from "./slices.ts";

export interface ServiceState extends NamedObject {
  /** What it shall be; undefined: nobody exports it to this cluster. */
  readonly served: ServedImport | undefined;
  readonly assigned: Assigned | undefined;
  readonly actual: ActualImport | undefined;
  readonly slices: readonly ActualSlice[];
  /** Own export, with the conditions that it shall have. */
  readonly exported:
    | { readonly before: readonly ConditionObject[]; readonly conditions: readonly ConditionObject[] }
    | undefined;
}

export interface PlanContext {
  readonly version: McsVersion;
  readonly hash: (text: string) => string;
  /** RFC 3339. */
  readonly now: string;
  /** Which imports have EndpointSlices. */
  readonly slices: "all" | "headless" | "none";
}

export interface Plan {
  readonly writes: readonly Write[];
  /** A ServiceImport of that name is not Hansa's: it is left alone (HSA4011). */
  readonly foreign: boolean;
}

export function planService(state: ServiceState, context: PlanContext): Plan {
  const { actual, served } = state;
  const foreign = actual !== undefined && !actual.ours && served !== undefined;
  const imports = foreign ? sliceWrites(state, [], context) : importWrites(state, context);
  return { writes: [...imports, ...exportWrites(state, context)], foreign };
}

function importWrites(state: ServiceState, context: PlanContext): Write[] {
  const { actual, served, assigned } = state;
  if (served === undefined) {
    const gone = actual?.ours === true ? [deletion(serviceImports(context.version), state, actual.uid)] : [];
    return [...gone, ...sliceWrites(state, [], context)];
  }
  const desired = desiredImport(served, context.hash);
  const writes: Write[] =
    actual === undefined || !isApplied(desired, actual) ? [applyImport(desired, context)] : [];
  // Its status, and slices that it owns, need the object: they follow when the API server tells of it.
  if (actual === undefined) return [...writes, ...sliceWrites(state, [], context)];
  const hasSlices = context.slices === "all" || (context.slices === "headless" && served.type === "Headless");
  const clusters = served.clusters.map(({ cluster }) => cluster as string);
  const conditions = importConditions(importProblem(assigned), {
    generation: actual.generation,
    before: actual.conditions,
    now: context.now,
  });
  if (!sameJson(actual.clusters, clusters) || !sameConditions(actual.conditions, conditions)) {
    // Older definitions of the kind drop what they do not know.
    const status = {
      clusters: clusters.map((cluster) => ({ cluster })),
      conditions,
      endpointSliceObjects: hasSlices ? "Present" : "Absent",
    };
    writes.push(applyStatus("ServiceImport", state, context, status));
  }
  const before = state.slices.map(({ slice }) => slice);
  const slices = hasSlices ? desiredSlices(served, before, actual.uid) : [];
  return [...writes, ...sliceWrites(state, slices, context)];
}

function exportWrites(state: ServiceState, context: PlanContext): Write[] {
  const { exported } = state;
  if (exported === undefined || sameConditions(exported.before, exported.conditions)) return [];
  return [applyStatus("ServiceExport", state, context, { conditions: exported.conditions })];
}

const applyImport = (desired: DesiredImport, { version }: PlanContext): Write => ({
  kind: "apply",
  target: { resource: serviceImports(version), namespace: desired.namespace, name: desired.name },
  objectKind: "ServiceImport",
  fieldManager: FIELD_MANAGER,
  force: true,
  labels: { ...desired.labels, [MANAGED_BY]: MANAGER },
  annotations: { ...desired.annotations, [APPLIED]: desired.applied },
  fields: { spec: desired.spec },
});

const applyStatus = (
  objectKind: "ServiceImport" | "ServiceExport",
  { namespace, name }: NamedObject,
  { version }: PlanContext,
  status: Json,
): Write => ({
  kind: "apply",
  target: {
    resource: objectKind === "ServiceImport" ? serviceImports(version) : serviceExports(version),
    namespace,
    name,
    subresource: "status",
  },
  objectKind,
  fieldManager: STATUS_MANAGER,
  force: true,
  fields: { status },
});

const deletion = (
  resource: Write["target"]["resource"],
  { namespace, name }: NamedObject,
  uid: string,
): Write => ({ kind: "delete", target: { resource, namespace, name }, uid });

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
  { slices }: ServiceState,
  desired: readonly McsSlice[],
  { version }: PlanContext,
): Write[] {
  const writes: Write[] = [];
  for (const slice of desired) {
    const actual = slices.find((each) => each.slice.name === slice.name);
    if (actual === undefined || !sameJson(actual.slice, slice)) writes.push(applySlice(slice, version));
  }
  for (const { uid, slice } of slices)
    if (!desired.some(({ name }) => name === slice.name)) writes.push(deletion(ENDPOINT_SLICES, slice, uid));
  return writes;
}

const applySlice = (slice: McsSlice, version: McsVersion): Write => ({
  kind: "apply",
  target: { resource: ENDPOINT_SLICES, namespace: slice.namespace, name: slice.name },
  objectKind: "EndpointSlice",
  fieldManager: FIELD_MANAGER,
  force: true,
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
  fields: { addressType: slice.family, ports: slice.ports, endpoints: slice.endpoints },
});
