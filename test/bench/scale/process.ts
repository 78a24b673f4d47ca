/** The processes around the bench: the agent under test and the Envoy that it serves. */
import { type ChildProcess, fork } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { envoyArguments, envoyBootstrap } from "@hansa/xds";
import { type Child, startChild } from "../../../deploy/tools/child.ts";
import { envoyBinary, root } from "../../../deploy/tools/paths.mjs";
import type { Note } from "../propagation/probe.ts";
import { until } from "../support/numbers.ts";
import type { Ask, FromAgent, Memory, Setup } from "./agent.ts";
import { type Member, REGION, type ScaleWorld, trustDomain, ZONES } from "./world.ts";

const AGENT = join(root, "test/bench/scale/agent.ts");
const PROXY = "shop/web/web-1";
/** Own addresses of a run: loopback, so that the Envoy can bind them. */
const address = (last: number): string => `127.${90 + (process.pid % 100)}.7.${last}`;

interface Measured {
  readonly memory: Memory;
  readonly cpuMs: number;
}

export class AgentUnderTest {
  /** Log → record whose whole effect the Envoy has acknowledged, and when: in the order of the acknowledgements. */
  readonly reached: Note[] = [];
  readonly startedMs: number;
  readonly folder: string;
  readonly #child: ChildProcess;
  #measured: Measured | undefined;

  private constructor(child: ChildProcess, folder: string, startedMs: number) {
    this.#child = child;
    this.folder = folder;
    this.startedMs = startedMs;
    child.on("message", (message: FromAgent) => {
      if (message.kind === "reached") this.reached.push(...message.notes);
      if (message.kind === "memory") this.#measured = message;
    });
  }

  /** The clock of the bootstrap starts as the process is forked. */
  static start(
    world: ScaleWorld,
    member: Member,
    name: string,
    nodeFlags: readonly string[] = [],
  ): AgentUnderTest {
    const folder = join(world.folder, name);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const output = openSync(join(folder, "agent.log"), "a");
    const startedMs = performance.now();
    const child = fork(AGENT, [], {
      execArgv: ["--disable-warning=ExperimentalWarning", "--expose-gc", ...nodeFlags],
      stdio: ["ignore", output, output, "ipc"],
    });
    const agent = new AgentUnderTest(child, folder, startedMs);
    child.send(setupOf(world, member, folder));
    return agent;
  }

  /** Envoy of the one workload, as soon as its socket is there; it asks for everything that the zone's sidecars share. */
  async envoy(): Promise<Child> {
    const socket = createHash("sha256").update(PROXY).digest("hex").slice(0, 16);
    await until(
      "the agent opens its proxy's socket",
      () => existsSync(join(this.folder, "s", `${socket}.sock`)),
      60_000,
    );
    const file = join(this.folder, "envoy.json");
    const admin = { address: address(10), port: 15_000 };
    const bootstrap = envoyBootstrap({
      nodeId: PROXY,
      cluster: "eu",
      adsSocketPath: join(this.folder, "s", `${socket}.sock`),
      admin,
      locality: { region: REGION, zone: ZONES[0] as string },
    });
    mkdirSync(join(this.folder, "s"), { recursive: true, mode: 0o700 });
    writeFileSync(file, JSON.stringify(bootstrap));
    return await startChild({
      argv: [envoyBinary(), ...envoyArguments({ bootstrapPath: file, drainSeconds: 5 })],
      log: join(this.folder, "envoy.log"),
      stopSignal: "SIGTERM",
      isReady: () =>
        fetch(`http://${admin.address}:${admin.port}/stats?filter=^server.state$`).then(
          (answer) => answer.ok,
          () => false,
        ),
    });
  }

  /** What the Envoy has: active clusters, and endpoints in all of them. */
  async envoyHolds(): Promise<{ readonly clusters: number; readonly endpoints: number }> {
    const answer = await fetch(`http://${address(10)}:15000/stats?filter=membership_total$`);
    const counts = (await answer.text())
      .split("\n")
      .filter((line) => line.startsWith("cluster.") && line.includes(".svc."))
      .map((line) => Number(line.split(": ")[1]));
    return { clusters: counts.length, endpoints: counts.reduce((sum, count) => sum + count, 0) };
  }

  /** When all of `heads` was acknowledged for the first time, ms of CLOCK_MONOTONIC; undefined: not yet. */
  reachedAt(heads: Readonly<Record<string, number>>): number | undefined {
    const logs = Object.entries(heads);
    return this.reached.find((note) => logs.every(([log, seq]) => (note.heads?.[log] ?? 0) >= seq))?.atMs;
  }

  async memory(): Promise<Memory> {
    return (await this.#measure("memory")).memory;
  }

  /** CPU time of the process so far, ms. */
  async cpuMs(): Promise<number> {
    return (await this.#measure("cpu")).cpuMs;
  }

  async #measure(ask: Ask): Promise<Measured> {
    this.#measured = undefined;
    this.#child.send(ask);
    await until("the agent measures itself", () => this.#measured !== undefined, 60_000);
    if (this.#measured === undefined) throw new Error("no measurement");
    return this.#measured;
  }

  get ended(): boolean {
    return this.#child.exitCode !== null;
  }

  log(): string {
    return readFileSync(join(this.folder, "agent.log"), "utf8");
  }

  async stop(): Promise<void> {
    if (this.ended) return;
    const exit = once(this.#child, "exit");
    this.#child.disconnect();
    await exit;
  }
}

function setupOf(world: ScaleWorld, member: Member, folder: string): Setup {
  const domain = trustDomain(member.cluster);
  return {
    config: {
      cluster: member.cluster,
      dataDir: join(folder, "data"),
      socketDir: join(folder, "s"),
      source: { file: join(folder, "source.yaml") },
      region: REGION,
      zones: ZONES,
      network: "flat",
      cidrs: [`10.${member.number}.0.0/16`],
      hub: { url: "https://127.0.0.1:1" },
      nats: { servers: [world.url] },
      admin: { host: address(2), port: 15_010 },
      gateway: { name: "gw", address: address(3), port: 15_443 },
      logLevel: "info",
    },
    membership: {
      membership: member.membership,
      genesis: world.genesis,
      fingerprint: world.fingerprint,
      userJwt: member.creds.jwt,
      hubCa: "",
      apiToken: "",
      trustDomain: domain,
    },
    account: member.account,
    userSeed: member.creds.seed,
    signingKey: member.key.pkcs8,
    source: {
      services: [{ namespace: "shop", name: "web", ports: [{ name: "http", port: 80, protocol: "http" }] }],
      workloads: [
        {
          namespace: "shop",
          name: "web",
          serviceAccount: "web",
          desired: 1,
          services: ["web"],
          replicas: [
            {
              id: "web-1",
              address: address(10),
              ready: true,
              zone: ZONES[0],
              app: { address: address(11), port: 8080 },
            },
          ],
        },
      ],
      gateways: [],
    },
  };
}
