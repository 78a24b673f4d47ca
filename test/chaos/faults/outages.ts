/** Several parts are away for a while, and the rest goes on without them. */

import { wrongFacts } from "../measure.ts";
import { CLUSTERS } from "../rig.ts";
import { type Fault, moment, pick, sleep } from "./fault.ts";

const HEARD_WITHIN_MS = 10_000;
const POLL_MS = 50;

const hubDown: Fault = {
  kind: "hub down over several changes",
  hitsCalls: false,
  like: "nothing propagates while the hub is down (§5, §13.17)",
  run: async (run) => {
    run.note("kill -9 hub, changes, start");
    await run.rig.kill("hub");
    for (let change = 0; change < 3; change += 1) await run.change();
    const deadlineMs = performance.now() + HEARD_WITHIN_MS;
    for (const [name, target] of Object.entries(run.rig.context().agents))
      for (;;) {
        const wrong = await wrongFacts(run.rig, name, target);
        if (wrong.length === 0) break;
        if (performance.now() > deadlineMs)
          throw new Error(`hub down: ${name} has not heard of every change: ${wrong.join("; ")}`);
        await sleep(POLL_MS);
      }
    await run.rig.act("start", "hub");
  },
};

const agentAlone: Fault = {
  kind: "agent restarted with hub and NATS down",
  hitsCalls: false,
  like: "restart of importers with the hub down (§13.17); partial state pushed as truth (§9.3)",
  run: async (run) => {
    const cluster = pick(run, CLUSTERS);
    run.note(`kill -9 hub nats ${cluster}/agent, agent started alone`);
    await run.change();
    await run.rig.kill("hub", "nats");
    await run.rig.kill(`${cluster}/agent`);
    await run.change({ cluster, agentLives: false });
    await run.rig.act("start", `${cluster}/agent`);
    await moment(run, 200, 1000);
    await run.rig.act("start", "nats", "hub");
  },
};

export const outageFaults: readonly Fault[] = [hubDown, agentAlone];
