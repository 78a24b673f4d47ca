/**
 * One lab for many rounds of faults: its processes, the lines between agents and the shared parts, the load and the older
 * copy of the archive. Faults act through it; nothing here decides which fault comes when.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { root } from "../../deploy/tools/paths.mjs";
import { type Context, loadContext } from "../../services/cli/src/shell/context.ts";
import {
  type ComponentState,
  callLab,
  type LabPlace,
  labComponents,
  labPlace,
} from "../../services/cli/src/shell/lab-client.ts";
import { startLab, type TestLab } from "../e2e/support/lab.ts";
import { Load } from "./load.ts";
import { type LineFault, type LineProxy, lineProxy } from "./tcp-proxy.ts";

/** Of the topology. */
export const CLUSTERS = ["eu", "us", "ap"] as const;
export type Cluster = (typeof CLUSTERS)[number];

const TOPOLOGY = join(root, "test/chaos/topology.yaml");
/** Beside NATS's and the hub's own: one line per agent. */
const LINE_PORT_STEP = 100;

export type Action = "start" | "kill" | "pause" | "resume";

export class Rig {
  readonly #lab: TestLab;
  readonly #lines = new Map<Cluster, readonly LineProxy[]>();
  #load: Load | undefined;

  constructor(lab: TestLab) {
    this.#lab = lab;
  }

  static async start(): Promise<Rig> {
    // An older state of the archive is put back below a server that is the lab's own.
    delete process.env.HANSA_POSTGRES_URL;
    const lab = await startLab("-f", TOPOLOGY);
    // The CLI's own client of the control socket reads it.
    process.env.HANSA_LAB_STATE = lab.state;
    const rig = new Rig(lab);
    try {
      for (const [index, cluster] of CLUSTERS.entries()) await rig.#layLine(cluster, index + 1);
      await rig.kill("hub", "postgres");
      rig.keepArchive();
      await rig.act("start", "postgres", "hub");
      rig.#load = new Load(await rig.place());
    } catch (error) {
      await rig.end(true);
      throw error;
    }
    return rig;
  }

  get state(): string {
    return this.#lab.state;
  }

  get load(): Load {
    if (this.#load === undefined) throw new Error("rig: not started");
    return this.#load;
  }

  context(): Context {
    return loadContext(undefined);
  }

  components = (): Promise<ComponentState[]> => labComponents();
  place = (): Promise<LabPlace> => labPlace();

  async act(action: Action, ...names: string[]): Promise<void> {
    await callLab("POST", "/action", { action, names });
  }

  /** SIGKILL, by the pids that the lab's supervisor holds. */
  kill(...names: string[]): Promise<void> {
    return this.act("kill", ...names);
  }

  async scale(workload: string, count: number): Promise<void> {
    const [cluster, namespace, name] = workload.split("/");
    await callLab("POST", "/scale", { cluster, namespace, workload: name, count });
  }

  agentConfig(cluster: Cluster): AgentFile {
    return parse(readFileSync(this.agentFile(cluster), "utf8")) as AgentFile;
  }

  agentFile = (cluster: Cluster): string => join(this.state, "clusters", cluster, "agent.yaml");
  folder = (...path: string[]): string => join(this.state, ...path);

  // === lines ===

  /** The agent's way to NATS and to the hub. */
  setLine(cluster: Cluster, fault: LineFault): void {
    for (const line of this.#lines.get(cluster) ?? []) line.set(fault);
  }

  /** Same addresses, other ports: the hub's certificate names its address. */
  async #layLine(cluster: Cluster, number: number): Promise<void> {
    const config = this.agentConfig(cluster);
    const servers = [config.nats.servers[0] ?? "", config.hub.url].map((server) => new URL(server));
    const lines = await Promise.all(
      servers.map(({ hostname, port }) =>
        lineProxy(hostname, Number(port) + number * LINE_PORT_STEP, { host: hostname, port: Number(port) }),
      ),
    );
    this.#lines.set(cluster, lines);
    const [nats = "", hub = ""] = servers.map((server, index) => {
      server.port = String(lines[index]?.port);
      return server.origin === "null" ? `${server.protocol}//${server.host}` : server.origin;
    });
    const rerouted = { ...config, nats: { servers: [nats] }, hub: { ...config.hub, url: hub } };
    writeFileSync(this.agentFile(cluster), stringify(rerouted), { mode: 0o600 });
    await this.kill(`${cluster}/agent`);
    await this.act("start", `${cluster}/agent`);
  }

  // === the archive's older state ===

  /** Postgres must not run. */
  keepArchive(): void {
    copyFolder(this.folder("postgres"), this.folder("postgres.old"));
  }

  /** Postgres must not run. */
  restoreArchive(): void {
    copyFolder(this.folder("postgres.old"), this.folder("postgres"));
  }

  /** `keep`: the state folder stays for whoever looks into the failure. */
  async end(keep: boolean): Promise<void> {
    this.#load?.stop();
    for (const line of [...this.#lines.values()].flat()) await line.close();
    if (keep) await this.#lab.hansa("lab", "down");
    else await this.#lab.down();
  }
}

/** The parts of an agent's configuration that faults rewrite. */
export interface AgentFile {
  readonly dataDir: string;
  readonly socketDir: string;
  readonly nats: { readonly servers: readonly string[] };
  readonly hub: { readonly url: string };
  readonly admin: { readonly host: string; readonly port: number };
}

/** Owners and modes too: Postgres insists on them. */
export function copyFolder(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true });
  const { status, stderr } = spawnSync("cp", ["-a", from, to], { encoding: "utf8" });
  if (status !== 0) throw new Error(`cp ${from} ${to}: ${stderr}`);
  // Its process is gone; another may have its number by now.
  rmSync(join(to, "postmaster.pid"), { force: true });
}
