/** What a spec of the MCS suite is. Titles and labels are those of sigs.k8s.io/mcs-api's conformance suite. */
import type { World } from "./world.ts";

export type Label =
  | "Required"
  | "Optional"
  | "ClusterIP"
  | "Headless"
  | "ExternalName"
  | "Connectivity"
  | "DNS"
  | "EndpointSlice"
  | "ExportedLabels"
  | "StrictPortConflict";

export interface Spec {
  readonly id: string;
  readonly title: string;
  readonly labels: readonly Label[];
  /** What else is looked at, so that an empty cluster cannot pass. */
  readonly control: string;
  run(world: World): Promise<void>;
}

export interface SpecResult {
  readonly spec: Spec;
  readonly seconds: number;
  /** undefined: passed. */
  readonly failure: Error | undefined;
}

export interface McsRun {
  readonly clusters: number;
  readonly results: readonly SpecResult[];
  /** What the official binary ended with; undefined where none was given. */
  readonly suite: { readonly binary: string; readonly exitCode: number } | undefined;
}
