/** The line between one agent and the shared parts is slow, cut, or closed one way. */
import { CLUSTERS } from "../rig.ts";
import type { LineFault } from "../tcp-proxy.ts";
import { type Fault, type FaultRun, moment, pick } from "./fault.ts";

const onLine = (kind: string, like: string, faultOf: (run: FaultRun) => LineFault): Fault => ({
  kind,
  hitsCalls: false,
  like,
  run: async (run) => {
    const cluster = pick(run, CLUSTERS);
    const fault = faultOf(run);
    run.note(`line of ${cluster}/agent: ${JSON.stringify(fault)}`);
    const changing = run.change({ cluster });
    await moment(run, 0, 60);
    run.rig.setLine(cluster, fault);
    try {
      await changing;
      await run.change({ cluster });
      await run.change();
      await moment(run, 300, 2000);
    } finally {
      run.rig.setLine(cluster, { kind: "none" });
    }
  },
});

export const lineFaults: readonly Fault[] = [
  onLine("slow line", "slow link: no false dead (§9.10)", ({ random }) => ({
    kind: "delay",
    delayMs: 50 + random.below(300),
  })),
  onLine("line cut", "NATS partition (§13.6)", () => ({ kind: "cut" })),
  onLine("line closed one way", "stream blocks when its peer stops (§9.9)", () => ({ kind: "half-close" })),
];
