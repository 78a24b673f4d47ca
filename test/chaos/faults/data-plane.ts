/** What carries calls dies: a gateway, the sidecar of one of several replicas, a workload. */
import { CLUSTERS } from "../rig.ts";
import { type Fault, type FaultRun, moment, pick } from "./fault.ts";

/** Each has a sibling that can answer instead. */
const REPLICAS = [
  "us/shop/pay/pay-1",
  "us/shop/pay/pay-2",
  "ap/shop/cart/cart-1",
  "ap/shop/cart/cart-2",
  "eu/shop/quote/quote-1",
  "eu/shop/quote/quote-2",
];

const killed = (kind: string, like: string, targetOf: (run: FaultRun) => string): Fault => ({
  kind,
  hitsCalls: true,
  like,
  run: async (run) => {
    const target = targetOf(run);
    await run.change();
    await moment(run, 0, 200);
    run.note(`kill -9 ${target}; in flight ${JSON.stringify(run.rig.load.inFlight())}`);
    await run.rig.kill(target);
    run.struck();
    await moment(run, 0, 700);
    await run.change();
    await run.rig.act("start", target);
  },
});

export const dataPlaneFaults: readonly Fault[] = [
  killed("kill a gateway", "gateway vanished (§9.2, §9.5)", (run) => `${pick(run, CLUSTERS)}/gateway`),
  killed("kill a sidecar", "endpoints of the dead stay (§9.1)", (run) => `${pick(run, REPLICAS)}/sidecar`),
  killed("kill a workload", "endpoints of the dead stay (§9.1)", (run) => `${pick(run, REPLICAS)}/app`),
];
