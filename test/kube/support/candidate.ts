/** One candidate of an election as a process: `candidate.ts KUBECONFIG NAME`. Says `elected` and `not elected` as it changes. */
import { noMetrics, silentLog, systemClock, systemTimers } from "@hansa/core";
import { nodeRandom } from "@hansa/identity";
import { Access, KubeClient, kubeconfig, LeaseElection } from "@hansa/kube";

const [path, candidate = ""] = process.argv.slice(2);
const ports = {
  clock: systemClock,
  timers: systemTimers,
  random: nodeRandom,
  log: silentLog,
  metrics: noMetrics,
};
const client = new KubeClient({ access: new Access(await kubeconfig({ path }), ports), ports });
const settings = { durationMs: 3000, holdMs: 2000, everyMs: 400 };
const election = new LeaseElection({
  client,
  ports,
  namespace: "default",
  name: "hansa",
  candidate,
  settings,
});

let wasElected: boolean | undefined;
const look = (): void => {
  const isElected = election.tryLock();
  if (isElected !== wasElected) process.stdout.write(isElected ? "elected\n" : "not elected\n");
  wasElected = isElected;
};
look();
setInterval(look, 10);
process.on("SIGTERM", () => void election.stop().then(() => process.exit()));
