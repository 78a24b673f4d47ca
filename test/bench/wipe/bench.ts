/**
 * The bus loses everything: nats-server is killed, its store and its accounts are removed, and it starts empty. How
 * long until hub, archive and every agent hold one state again, the state from before, and the new stream carries it whole.
 */
import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Genesis } from "@hansa/events";
import { nodeCrypto } from "@hansa/identity";
import { archiveNow, foldAt } from "@hansa/store";
import { HubRig } from "../../contract/hub-rig.ts";
import type { Bench, BenchContext, Figure } from "../bench.ts";
import { grantFor } from "../durable/place.ts";
import { sleep, until } from "../support/numbers.ts";
import { cpuSeconds, parentOf } from "../support/process.ts";
import type { Order, State, Told } from "./talk.ts";

const REACH_MS = 30_000;
const WRITERS = ["c1", "c2", "c3", "c4", "c5"];
/** A member that has joined and has never run: it has the new stream alone to learn from. */
const JOINER = "c6";
const FULL = 10_000;
const QUICK = 500;
const GIVE_UP_MS = 180_000;
const LOOK_MS = 200;

class Member {
  readonly cluster: string;
  readonly #child: ChildProcess;
  #settle: ((told: Told) => void) | undefined;
  #fail: ((error: Error) => void) | undefined;

  constructor(cluster: string) {
    this.cluster = cluster;
    this.#child = fork(fileURLToPath(new URL("./member.ts", import.meta.url)));
    this.#child.on("message", (told: Told) => this.#settle?.(told));
    this.#child.on("exit", (code) => this.#fail?.(new Error(`member ${cluster} ended with ${code}`)));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  ask(order: Order): Promise<Told> {
    return new Promise((resolve, reject) => {
      this.#settle = resolve;
      this.#fail = reject;
      this.#child.send(order);
    });
  }

  async state(): Promise<State> {
    const told = await this.ask({ do: "look" });
    if (told.told !== "state") throw new Error(`${this.cluster}: ${told.told}`);
    return told.state;
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.send({ do: "end" } satisfies Order);
    const killing = setTimeout(() => this.#child.kill("SIGKILL"), 10_000);
    await gone;
    clearTimeout(killing);
  }
}

/** `<source> <lane>` → where it ends. */
type Ends = ReadonlyMap<string, { readonly epoch: number; readonly seq: number }>;

interface World {
  readonly rig: HubRig;
  readonly writers: readonly Member[];
  readonly joiner: Member;
  readonly services: number;
  readonly log: BenchContext["log"];
}

/** The state that all agree on, and where it stands. */
interface Agreed {
  readonly digest: string;
  readonly incarnation: string;
  readonly ends: Ends;
}

async function run({ quick, log }: BenchContext): Promise<readonly Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), "hansa-wipe-"));
  const rig = await HubRig.start();
  const writers = WRITERS.map((cluster) => new Member(cluster));
  const joiner = new Member(JOINER);
  const world = { rig, writers, joiner, services: quick ? QUICK : FULL, log };
  try {
    for (const member of [...writers, joiner]) await admit(world, member, folder);
    const each = world.services / WRITERS.length;
    await Promise.all(writers.map((member) => member.ask({ do: "start", services: each })));
    return [await wiped(world)];
  } finally {
    await Promise.all([...writers, joiner].map((member) => member.end()));
    await rig.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function admit({ rig }: World, member: Member, folder: string): Promise<void> {
  const { cluster } = member;
  const order = { kind: "join", cluster, grant: grantFor(cluster), ttlSeconds: 60 };
  const { data } = await rig.post<{ token: string }>("/v1/tokens", order);
  const servers = [rig.nats.url];
  const { caPem } = rig.target();
  await member.ask({ do: "join", cluster, folder: join(folder, cluster), servers, caPem, token: data.token });
}

async function wiped(world: World): Promise<Figure> {
  const { rig, services, log, writers } = world;
  const first = performance.now();
  const before = await agreement(world, undefined);
  const facts = await factsOf(writers);
  log(`  ${services} services of ${writers.length} clusters agreed on after ${seconds(first)}`);

  const used = await cpuOf(world);
  const startMs = performance.now();
  await rig.nats.kill();
  rmSync(join(rig.dir, "nats"), { recursive: true, force: true });
  await rig.startNats();
  log(`  an empty nats-server answers after ${seconds(startMs)}`);
  await agreement(world, before);
  const tookMs = performance.now() - startMs;

  const cpu = (await cpuOf(world)).map(({ name, seconds }, index) => {
    const [own, before] = [seconds, used[index]?.seconds ?? 0];
    return `${name} ${(name === "nats" ? own : own - before).toFixed(1)}`;
  });
  log(`  agreed on after ${seconds(startMs)}; CPU seconds: ${cpu.join(", ")}`);

  const joinMs = performance.now();
  const joined = await joins(world);
  const same = (await factsOf([...writers, world.joiner])) === facts && facts.startsWith(`${3 * services} `);
  return {
    figure: `NATS killed and its storage wiped → one state digest in hub, archive and ${writers.length} agents on the new stream, ${services} services`,
    reach: `≤ ${REACH_MS / 1000} s`,
    measured: `${(tookMs / 1000).toFixed(1)} s, ${same ? "every fact is there" : "OTHER facts than before"}; a joiner with an empty disk ${joined ? `agrees ${seconds(joinMs)} later` : "DOES NOT AGREE"}`,
    kept: tookMs <= REACH_MS && same && joined,
  };
}

/** CPU seconds so far; NATS's begin anew with its process. */
async function cpuOf({ rig, writers }: World) {
  const [row] = await rig.store.db.query<{ pid: number }>("select pg_backend_pid() as pid");
  const pids = {
    agents: writers.map(({ pid }) => pid),
    hub: [rig.hub.child.pid ?? 0],
    postgres: [parentOf(row?.pid ?? 0) ?? 0],
    nats: [rig.nats.pid],
  };
  return Object.entries(pids).map(([name, of]) => ({
    name,
    seconds: of.reduce((sum, pid) => sum + cpuSeconds(pid), 0),
  }));
}

/** Whether a member that reads for the first time comes to what the others hold. Its coming is news to them. */
async function joins({ joiner, writers }: World): Promise<boolean> {
  await joiner.ask({ do: "start", services: 0 });
  const agrees = async (): Promise<boolean> => {
    const states = await Promise.all([joiner, ...writers].map((member) => member.state()));
    return states.every(({ digest }) => digest === states[0]?.digest);
  };
  return await until("the joiner agrees", agrees, 2 * REACH_MS).then(
    () => true,
    () => false,
  );
}

/** `<number of registers> <digest>`, or what differs between members. */
async function factsOf(members: readonly Member[]): Promise<string> {
  const told = await Promise.all(members.map((member) => member.ask({ do: "facts" })));
  return [
    ...new Set(told.map((one) => (one.told === "facts" ? `${one.registers} ${one.digest}` : ""))),
  ].join();
}

const seconds = (sinceMs: number): string => `${((performance.now() - sinceMs) / 1000).toFixed(1)} s`;

/** Waits until all parts hold one state, on another stream than `before`'s and said anew since. */
async function agreement(world: World, before: Agreed | undefined): Promise<Agreed> {
  const fromMs = performance.now();
  for (let reason = "", told = ""; ; await sleep(LOOK_MS)) {
    const outcome = await look(world, before);
    if (typeof outcome !== "string") return outcome;
    reason = outcome;
    if (reason !== told) world.log(`    ${seconds(fromMs)}: ${reason}`);
    told = reason;
    if (performance.now() - fromMs > GIVE_UP_MS)
      throw new Error(`no agreement within ${GIVE_UP_MS} ms: ${reason}`);
  }
}

/** What all agree on, or why they do not yet. */
async function look(world: World, before: Agreed | undefined): Promise<Agreed | string> {
  const states = await Promise.all(world.writers.map((member) => member.state()));
  const [first] = states as [State, ...State[]];
  const { digest, incarnation } = first;
  if (incarnation === undefined || states.some((state) => state.incarnation !== incarnation))
    return "not all have the stream";
  if (incarnation === before?.incarnation) return "the old stream";
  if (states.some(({ synced, pending }) => !synced || pending > 0)) return "something is not written yet";
  if (states.some((state) => !state.ownAgrees)) return "an agent's fold differs from its own log";
  if (states.some((state) => state.digest !== digest)) return "agents' digests differ";
  const ends = await archivedEnds(world.rig);
  if (ends.size < 2 * world.writers.length + 1) return "not every log is archived";
  for (const state of states)
    for (const { source, lane, epoch, seq } of state.heads) {
      const end = ends.get(`${source} ${lane}`);
      if (end !== undefined && (end.epoch !== epoch || end.seq !== seq))
        return "archive and agents stand apart";
    }
  if (before !== undefined) {
    for (const [log, { epoch }] of before.ends)
      if ((ends.get(log)?.epoch ?? 0) <= epoch)
        return `${log.slice(0, 5)}… ${log.split(" ")[1]} was not said anew`;
    if ((await snapshotsSince(world.rig, before)) < before.ends.size) return "not every snapshot is complete";
  }
  return (await archivedDigest(world.rig)) === digest
    ? { digest, incarnation, ends }
    : "the archive's fold has another digest";
}

async function archivedEnds({ store }: HubRig): Promise<Ends> {
  const rows = await store.db.query<{ source: string; lane: string; epoch: number; seq: number }>(
    "select distinct on (source, lane) source, lane, epoch, seq from record order by source, lane, epoch desc, seq desc",
  );
  return new Map(rows.map(({ source, lane, epoch, seq }) => [`${source} ${lane}`, { epoch, seq }]));
}

/** Logs whose snapshot of a later epoch is archived whole. */
async function snapshotsSince({ store }: HubRig, { ends }: Agreed): Promise<number> {
  const rows = await store.db.query<{ log: string; epoch: number }>(
    "select source || ' ' || lane as log, max(epoch) as epoch from event where type = 'SnapshotComplete' group by 1",
  );
  return rows.filter(({ log, epoch }) => epoch > (ends.get(log)?.epoch ?? Number.POSITIVE_INFINITY)).length;
}

async function archivedDigest(rig: HubRig): Promise<string> {
  const genesis = JSON.parse(readFileSync(join(rig.dir, "genesis.json"), "utf8")) as Genesis;
  const { position } = await archiveNow(rig.store.db);
  const { fed } = await foldAt(rig.store, position, { genesis, crypto: nodeCrypto });
  return fed.digest();
}

export const bench: Bench = {
  name: "wipe",
  about: "the storage of NATS is wiped under 10 000 services",
  run,
};
