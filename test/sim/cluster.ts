/** One cluster of a simulated federation: its facts, its machine, the process that runs and what that leaves behind. */
import type { AccountKey, Signer } from "@hansa/core";
import type { AgentCore } from "../../services/agent/src/core.ts";
import { accountOf } from "./hub/application.ts";
import type { Machine, Seeded } from "./kernel.ts";
import { Truth } from "./ledger.ts";
import { type Held, Left } from "./left.ts";
import type { SimLogBus } from "./sim-bus.ts";
import { simSigner } from "./sim-crypto.ts";

/** One agent process. */
export interface Running {
  readonly machine: Machine;
  readonly bus: SimLogBus;
  readonly core: AgentCore;
  readonly held: Held;
}

export interface Cluster {
  readonly name: string;
  readonly account: AccountKey;
  readonly signer: Signer;
  readonly truth: Truth;
  /** Of the host's wall clock. */
  skewMs: number;
  left: Left;
  running: Running | undefined;
  /** A second agent that believes it is the only one. */
  twin: Running | undefined;
  /** Two agents wrote for it once. */
  hadTwin: boolean;
  /** False where it joins only after everything else. */
  started: boolean;
  member: boolean;
  gatewayUp: boolean;
  /** Virtual ms at which the gateway last came up. */
  gatewayUpMs: number;
  /** Its way to other clusters' gateways. */
  netUp: boolean;
}

export const newCluster = (name: string, random: Seeded): Cluster => ({
  name,
  account: accountOf(name),
  signer: simSigner(name),
  truth: new Truth(),
  skewMs: (random.float() - 0.5) * 60_000,
  left: new Left(),
  running: undefined,
  twin: undefined,
  hadTwin: false,
  started: false,
  member: true,
  gatewayUp: true,
  gatewayUpMs: Number.NEGATIVE_INFINITY,
  netUp: true,
});
