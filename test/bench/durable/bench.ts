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
import { cpuSeconds, parentOf } from "../support/process.ts";
import { singleInserts } from "./peer.ts";
import { grantFor } from "./place.ts";
import type { Acked, Order, Told } from "./talk.ts";

const REACH_PER_SECOND = 15_000;
const CLUSTERS = ["c1", "c2", "c3"];
const ENDPOINTS = 2000;
/** `warm`: changes before the measurement, so that compilers and caches have settled. */
const FULL = { warm: 60_000, changes: 400_000, peerSeconds: 5 };
const QUICK = { warm: 6_000, changes: 20_000, peerSeconds: 1 };

class Member {
  readonly cluster: string;
  readonly child: ChildProcess;
  readonly acked: Acked[] = [];
  #settle: ((told: Told) => void) | undefined;
  #fail: ((error: Error) => void) | undefined;

  constructor(cluster: string) {
    this.cluster = cluster;
    this.child = fork(fileURLToPath(new URL("./member.ts", import.meta.url)));
    this.child.on("message", (told: Told) => {
      if (told.told === "acked") this.acked.push(...told.records);
      else this.#settle?.(told);
    });
    this.child.on("exit", (code) => this.#fail?.(new Error(`member ${cluster} ended with ${code}`)));
  }

  ask(order: Order): Promise<Told> {
    return new Promise((resolve, reject) => {
      this.#settle = resolve;
      this.#fail = reject;
      this.child.send(order);
    });
  }

  async end(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const gone = new Promise((resolve) => this.child.once("exit", resolve));
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
    const members = CLUSTERS.map((cluster) => new Member(cluster));
    try {
      return await measure(context, rig, members, folder);
    } finally {
      await Promise.all(members.map((member) => member.end()));
      await rig.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

async function measure(
  { quick, log }: BenchContext,
  rig: HubRig,
  members: readonly Member[],
  folder: string,
): Promise<Figure[]> {
  const { warm, changes, peerSeconds } = quick ? QUICK : FULL;
  const servers = [rig.nats.url];
  const { caPem } = rig.target();
  await Promise.all(
    members.map(async (member) => {
      const { cluster } = member;
      const token = await tokenFor(rig, cluster);
      const at = join(folder, cluster);
      await member.ask({ do: "join", cluster, folder: at, servers, caPem, token, endpoints: ENDPOINTS });
    }),
  );
  const load = (count: number): Promise<Told[]> =>
    Promise.all(
      members.map((member) => member.ask({ do: "load", changes: Math.round(count / members.length) })),
    );
  log(`  ${CLUSTERS.length} clusters have joined`);
  await load(warm);
  const from = (await archiveNow(rig.store.db)).position;
  const processes = await processesOf(rig, members);
  const used = () => processes.map(({ pids }) => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0));
  const before = used();
  const loaded = await load(changes);
  const after = used();
  const { perSecond, events, seconds } = await rateSince(rig, from);
  log(`  ${events} events in ${seconds.toFixed(1)} s, ${CLUSTERS.length} clusters of ${ENDPOINTS} endpoints`);
  const acked = members.flatMap((member) => member.acked);
  const wrong = await differences(rig, acked, loaded);
  for (const line of wrong) log(`  ${line}`);
  const cpu = processes.map(({ name }, index) => {
    const seconds = (after[index] ?? Number.NaN) - (before[index] ?? Number.NaN);
    return `${name} ${((seconds / events) * 1000).toFixed(3)}`;
  });
  log(`  CPU seconds per 1000 events: ${cpu.join(", ")}`);
  const peer = await singleInserts(rig.postgresUrl, peerSeconds);
  const exact = wrong.length === 0 ? `all ${acked.length} acked records archived` : wrong.join("; ");
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

async function processesOf(rig: HubRig, members: readonly Member[]) {
  const rows = await rig.store.db.query<{ pid: number }>("select pg_backend_pid() as pid");
  return [
    { name: "agents", pids: members.map(({ child }) => child.pid ?? 0) },
    { name: "nats", pids: [rig.nats.pid] },
    { name: "hub", pids: [rig.hub.child.pid ?? 0] },
    { name: "postgres", pids: [parentOf(rows[0]?.pid ?? 0) ?? 0] },
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
async function differences(rig: HubRig, acked: readonly Acked[], loaded: readonly Told[]): Promise<string[]> {
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
  for (const told of loaded) {
    if (told.told !== "loaded") continue;
    if (told.overflowed > 0) wrong.push(`${told.overflowed} records were pushed out of an outbox`);
    for (const { source, lane, digest } of told.digests)
      if (fed.laneDigest(source, lane as Lane) !== digest) wrong.push(`${source} ${lane}: another digest`);
  }
  return wrong;
}

const nameOf = ({ source, lane, epoch, seq }: Omit<Acked, "hash">): string =>
  `${source} ${lane} ${epoch} ${seq}`;
