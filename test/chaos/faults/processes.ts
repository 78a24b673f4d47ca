/** Processes die without warning, one at a time, and are started again. */
import { CLUSTERS } from "../rig.ts";
import { type Fault, type FaultRun, moment, pick } from "./fault.ts";

const sharedPart = (name: string, like: string): Fault => ({
  kind: `kill ${name}`,
  hitsCalls: false,
  like,
  run: (run) => killAndStart(run, name),
});

async function killAndStart(run: FaultRun, name: string): Promise<void> {
  run.note(`kill -9 ${name}`);
  // While a change is on its way, and another comes while nobody is there to take it.
  const changing = run.change();
  await moment(run, 0, 60);
  await run.rig.kill(name);
  await changing;
  await moment(run, 0, 800);
  await run.change();
  await run.rig.act("start", name);
}

const agent: Fault = {
  kind: "kill an agent",
  hitsCalls: false,
  like: "kill -9 of an agent mid-snapshot (§13.2); deletes after a restart (§9.1, §9.3)",
  run: async (run) => {
    const cluster = pick(run, CLUSTERS);
    run.note(`kill -9 ${cluster}/agent`);
    const changing = run.change({ cluster, agentLives: false });
    await moment(run, 0, 60);
    await run.rig.kill(`${cluster}/agent`);
    await changing;
    await moment(run, 0, 800);
    await run.change({ cluster, agentLives: false });
    await run.rig.act("start", `${cluster}/agent`);
  },
};

export const processFaults: readonly Fault[] = [
  sharedPart("hub", "hub down (§9.15): a restart amid a batch has an effect exactly once"),
  sharedPart("nats", "NATS gone and back (§13.6): nothing acknowledged is lost"),
  sharedPart("postgres", "hub's Postgres down (§13.5): nothing is acknowledged without a commit"),
  agent,
];
