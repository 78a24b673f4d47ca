/** Storage is lost or older than it was: NATS's streams, its accounts, the hub's archive. */
import { rmSync } from "node:fs";
import { callApi } from "@hansa/identity";
import { CLUSTERS } from "../rig.ts";
import { type Fault, moment, pick } from "./fault.ts";

const wiped = (kind: string, like: string, folders: readonly string[]): Fault => ({
  kind,
  hitsCalls: false,
  like,
  run: async (run) => {
    run.note(`kill -9 nats, rm ${folders.join(" ")}`);
    const changing = run.change();
    await moment(run, 0, 60);
    await run.rig.kill("nats");
    await changing;
    for (const folder of folders)
      rmSync(run.rig.folder("hub", "nats", folder), { recursive: true, force: true });
    await run.change();
    await run.rig.act("start", "nats");
  },
});

const restored: Fault = {
  kind: "Postgres restored to an older state",
  hitsCalls: false,
  like: "migration and disaster recovery of the hub (§9.15)",
  run: async (run) => {
    run.note("kill -9 hub postgres, older copy put back");
    await run.change();
    // A record of the hub's own that the older copy does not hold.
    const cluster = pick(run, CLUSTERS);
    await callApi(run.rig.context().hub, { method: "POST", path: "/v1/wants", body: { cluster } });
    await run.rig.kill("hub", "postgres");
    await run.change();
    const newer = run.random.chance(0.3);
    if (newer) run.rig.keepArchive();
    else run.rig.restoreArchive();
    run.note(newer ? "and that copy is kept for a later round" : "older copy used");
    await run.rig.act("start", "postgres", "hub");
  },
};

export const storageFaults: readonly Fault[] = [
  wiped("NATS store wiped", "shards wiped for good (§9.2)", ["jetstream"]),
  wiped("NATS store and resolver wiped", "shards and credentials wiped for good (§9.2)", [
    "jetstream",
    "accounts",
  ]),
  restored,
];
