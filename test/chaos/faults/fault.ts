/** What a fault is: something that is done to the rig and undone before it returns. */
import type { Seeded } from "../../sim/kernel.ts";
import type { Cluster, Rig } from "../rig.ts";

export interface FaultRun {
  readonly rig: Rig;
  /** Of this round alone. */
  readonly random: Seeded;
  /** Says what was done, for whoever reads a failure. */
  note(what: string): void;
  /** What carries calls has just died: from here on others answer. */
  struck(): void;
  /** Changes a fact, of any cluster unless named; `agentLives` where its agent can bootstrap a new sidecar. */
  change(of?: { readonly cluster?: Cluster; readonly agentLives?: boolean }): Promise<void>;
}

export interface Fault {
  readonly kind: string;
  /** Calls may fail: those in flight on what is killed, where they are not repeated. */
  readonly hitsCalls: boolean;
  /** Class of failure in other meshes that it stands for (federation §9 and §13). */
  readonly like: string;
  run(run: FaultRun): Promise<void>;
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Between `fromMs` and `toMs`. */
export const moment = ({ random }: FaultRun, fromMs: number, toMs: number): Promise<void> =>
  sleep(fromMs + random.below(toMs - fromMs));

export function pick<Item>({ random }: FaultRun, items: readonly Item[]): Item {
  const item = items[random.below(items.length)];
  if (item === undefined) throw new Error("pick: nothing to choose from");
  return item;
}
