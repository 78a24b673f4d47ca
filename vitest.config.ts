// One project per tier of test: `npm test -- --project NAME [FILTER]` runs one tier or one file of it.
import { defineConfig } from "vitest/config";

interface Tier {
  readonly name: string;
  readonly include: readonly string[];
  readonly timeoutMs: number;
  /** True for tiers whose files each own the machine: a lab is about forty processes. */
  readonly oneFileAtATime?: boolean;
  /** Runs once before the tier, without a time limit. */
  readonly setup?: string;
}

/** Minutes that `npm test` leaves to `.ci/run`; what they show is shown more briefly elsewhere. */
const long = [
  "test/e2e/08-restart.spec.ts",
  ...[
    "control-plane",
    "credentials",
    "dns",
    "faults/**/*",
    "gateway-dns",
    "gateway-pods",
    "hub-chart",
    "join",
    "lab",
    "mcs",
    "outages",
    "reflector",
    "requests",
    "sidecar-names",
    "sidecar-roots",
    "sidecar-rules",
  ].map((name) => `test/kube/${name}.spec.ts`),
];

// In the order in which they run: what is quick to tell comes first.
const tiers: readonly Tier[] = [
  {
    name: "unit",
    include: ["libs/**/*.spec.ts", "services/**/*.spec.ts", "test/*.spec.ts"],
    timeoutMs: 10_000,
  },
  { name: "sim", include: ["test/sim/**/*.spec.ts"], timeoutMs: 120_000 },
  { name: "contract", include: ["test/contract/**/*.spec.ts"], timeoutMs: 60_000 },
  {
    name: "conformance",
    include: ["test/conformance/**/*.spec.ts"],
    timeoutMs: 60_000,
    oneFileAtATime: true,
    setup: "test/kube/setup.ts",
  },
  {
    name: "kube",
    include: ["test/kube/**/*.spec.ts"],
    timeoutMs: 60_000,
    oneFileAtATime: true,
    setup: "test/kube/setup.ts",
  },
  { name: "attacks", include: ["test/attacks/**/*.spec.ts"], timeoutMs: 60_000 },
  { name: "e2e", include: ["test/e2e/**/*.spec.ts"], timeoutMs: 240_000, oneFileAtATime: true },
  { name: "chaos", include: ["test/chaos/**/*.spec.ts"], timeoutMs: 600_000, oneFileAtATime: true },
  { name: "long", include: long, timeoutMs: 240_000, oneFileAtATime: true, setup: "test/kube/setup.ts" },
];

export default defineConfig({
  test: {
    allowOnly: false,
    projects: tiers.map(({ name, include, timeoutMs, oneFileAtATime = false, setup }, groupOrder) => ({
      test: {
        name,
        include: [...include],
        exclude: ["**/node_modules/**", ...(name === "long" ? [] : long)],
        testTimeout: timeoutMs,
        hookTimeout: timeoutMs,
        fileParallelism: !oneFileAtATime,
        globalSetup: setup === undefined ? [] : [setup],
        sequence: { groupOrder },
      },
    })),
  },
});
