/**
 * Events per second, durable end to end: an agent's record is synced in its outbox, acknowledged by a nats-server that
 * syncs each write, folded by the hub and committed in Postgres. Afterwards the archive is compared with what was
 * acknowledged, record by record, and its fold with the writers' digests.
 */
import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Genesis, Lane } from "@hansa/events";
import { nodeCrypto } from "@hansa/identity";
import { archiveNow, foldAt } from "@hansa/store";
import { HubRig, until } from "../../contract/hub-rig.ts";
import type { Bench, BenchContext, Figure } from "../bench.ts";
import { cpuSeconds, parentOf } from "./cpu.ts";
import { singleInserts } from "./peer.ts";
import { grantFor } from "./place.ts";
import type { Acked, Order, Told } from "./talk.ts";

const REACH_PER_SECOND = 15_000;
const CLUSTERS = ["c1", "c2", "c3"];
const ENDPOINTS = 2000;
const FULL = { changes: 400_000, peerSeconds: 5 };
const QUICK = { changes: 20_000, peerSeconds: 1 };

class Members {
  readonly child: ChildProcess;
  readonly acked: Acked[] = [];
  #settle: ((told: Told) => void) | undefined;
  #fail: ((error: Error) => void) | undefined;

  constructor() {
    this.child = fork(fileURLToPath(new URL("./members.ts", import.meta.url)), { serialization: "json" });
    this.child.on("message", (told: Told) => {
      if (told.told === "acked") this.acked.push(...told.records);
      else this.#settle?.(told);
    });
    this.child.on("exit", (code) => this.#fail?.(new Error(`the load process ended with ${code}`)));
  }

  ask(order: Order): Promise<Told> {
    return new Promise((resolve, reject) => {
      this.#settle = resolve;
      this.#fail = reject;
      this.child.send(order);
    });
  }

  async end(): Promise<void> {
    const gone = new Promise((resolve) => this.child.once("exit", resolve));
    if (this.child.exitCode !== null) return;
    this.child.send({ do: "end" } satisfies Order);
    const killing = setTimeout(() => this.child.kill("SIGKILL"), 10_000);
    await gone;
    clearTimeout(killing);
  }
}

export const bench: Bench = {
  name: "durable",
  about: "events per second from the agents' synced outboxes to Postgres, committed",
  async run(context) {
    const folder = mkdtempSync(join(tmpdir(), "hansa-durable-"));
    const rig = await HubRig.start();
    const members = new Members();
    try {
      return await measure(context, rig, members, folder);
    } finally {
      await members.end();
      await rig.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

async function measure(
  { quick, log }: BenchContext,
  rig: HubRig,
  members: Members,
  folder: string,
): Promise<Figure[]> {
  const { changes, peerSeconds } = quick ? QUICK : FULL;
  const tokens: Record<string, string> = {};
  for (const cluster of CLUSTERS) tokens[cluster] = await tokenFor(rig, cluster);
  const { caPem } = rig.target();
  await members.ask({ do: "join", folder, servers: [rig.nats.url], caPem, tokens, endpoints: ENDPOINTS });
  const from = (await archiveNow(rig.store.db)).position;
  const processes = await processesOf(rig, members);
  const before = processes.map(({ pid }) => cpuSeconds(pid));
  const loaded = await members.ask({ do: "load", changes });
  const after = processes.map(({ pid }) => cpuSeconds(pid));
  const { perSecond, events, seconds } = await rateSince(rig, from);
  log(`  ${events} events in ${seconds.toFixed(1)} s, ${CLUSTERS.length} clusters of ${ENDPOINTS} endpoints`);
  const wrong = await differences(rig, members.acked, loaded);
  for (const line of wrong) log(`  ${line}`);
  const cpu = processes.map(({ name }, index) => {
    const used = (after[index] ?? Number.NaN) - (before[index] ?? Number.NaN);
    return `${name} ${((used / events) * 1000).toFixed(3)}`;
  });
  log(`  CPU seconds per 1000 events: ${cpu.join(", ")}`);
  const peer = await singleInserts(rig.postgresUrl, peerSeconds);
  const exact = wrong.length === 0 ? `all ${members.acked.length} acked records archived` : wrong.join("; ");
  return [
    {
      figure: "events/s durable end to end (agent's ack synced → Postgres committed)",
      reach: `≥ ${REACH_PER_SECOND}`,
      measured: `${Math.round(perSecond)}; ${exact}; CPU s per 1000 events: ${cpu.join(", ")}`,
      peer: `one committed INSERT per event, 16 connections: ${Math.round(peer)} (${(perSecond / peer).toFixed(1)}×)`,
      kept: perSecond >= REACH_PER_SECOND && wrong.length === 0,
    },
  ];
}

async function tokenFor(rig: HubRig, cluster: string): Promise<string> {
  const order = { kind: "join", cluster, grant: grantFor(cluster), ttlSeconds: 60 };
  let token = "";
  await until("the hub makes a token", async () => {
    token = (await rig.post<{ token: string }>("/v1/tokens", order)).data.token;
    return true;
  });
  return token;
}

async function processesOf(rig: HubRig, members: Members) {
  const rows = await rig.store.db.query<{ pid: number }>("select pg_backend_pid() as pid");
  return [
    { name: "agents", pid: members.child.pid ?? 0 },
    { name: "nats", pid: rig.nats.pid },
    { name: "hub", pid: rig.hub.child.pid ?? 0 },
    { name: "postgres", pid: parentOf(rows[0]?.pid ?? 0) ?? 0 },
  ];
}

/** From the first commit of the load to its last, the first one's own events left out. */
async function rateSince(rig: HubRig, from: number) {
  const rows = await rig.store.db.query<{ events: number; ms: number }>(
    `select max(position) - min(position) as events,
            extract(epoch from max(committed_at) - min(committed_at))::float8 * 1000 as ms
       from record where position > $1`,
    [from],
  );
  const { events = 0, ms = 0 } = rows[0] ?? {};
  return { events, seconds: ms / 1000, perSecond: events / (ms / 1000) };
}

/** What the archive lacks of what was acknowledged, and where its fold differs from the writers. */
async function differences(rig: HubRig, acked: readonly Acked[], loaded: Told): Promise<string[]> {
  const wrong: string[] = [];
  const { db } = rig.store;
  const rows = await db.query<{ source: string; lane: string; epoch: number; seq: number; hash: string }>(
    "select source, lane, epoch, seq, hash from record",
  );
  const archived = new Map(rows.map((row) => [nameOf(row), row.hash]));
  const lost = acked.filter((record) => archived.get(nameOf(record)) !== record.hash);
  if (lost.length > 0) wrong.push(`${lost.length} acknowledged records are not archived as they were`);
  const now = await archiveNow(db);
  const count = await db.query<{ events: number; torn: number }>(
    `select (select count(*) from event) as events,
            (select count(*) from record full join
               (select source, lane, epoch, seq, count(*) as events from event group by 1, 2, 3, 4) as told
               using (source, lane, epoch, seq)
               where events is distinct from jsonb_array_length(convert_from(body, 'UTF8')::jsonb)) as torn`,
  );
  if (count[0]?.events !== now.position) wrong.push(`${count[0]?.events} events at position ${now.position}`);
  if (count[0]?.torn !== 0) wrong.push(`${count[0]?.torn} records have other events than their body`);
  const genesis = JSON.parse(readFileSync(join(rig.dir, "genesis.json"), "utf8")) as Genesis;
  const { fed } = await foldAt(rig.store, now.position, { genesis, crypto: nodeCrypto });
  if (loaded.told !== "loaded") return [...wrong, "the load did not end"];
  if (loaded.overflowed > 0) wrong.push(`${loaded.overflowed} records were pushed out of an outbox`);
  for (const { source, lane, digest } of loaded.digests)
    if (fed.laneDigest(source, lane as Lane) !== digest) wrong.push(`${source} ${lane}: another digest`);
  return wrong;
}

const nameOf = ({ source, lane, epoch, seq }: Omit<Acked, "hash">): string =>
  `${source} ${lane} ${epoch} ${seq}`;
