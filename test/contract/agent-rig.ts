/** Real agents on a real hub, with Envoys and applications beside them, all on loopback addresses of their own. */
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ApiTarget, callApi } from "@hansa/identity";
import { envoyArguments } from "@hansa/xds";
import { stringify } from "yaml";
import { type Child, startChild } from "../../deploy/tools/child.ts";
import { envoyBinary } from "../../deploy/tools/paths.mjs";
import { type App, httpApp, tcpApp } from "./envoy/apps.ts";
import { HubRig, until } from "./hub-rig.ts";

const MAIN = new URL("../../services/agent/src/main.ts", import.meta.url).pathname;
export const REGIONS = { eu: "eu-west-1", us: "us-east-1", ap: "ap-south-1" } as const;
export type Name = keyof typeof REGIONS;
const NUMBER = { eu: 1, us: 2, ap: 3 } as const;

export interface Replica {
  readonly namespace: string;
  readonly workload: string;
  readonly id: string;
}

type Yaml = Record<string, unknown>;

export class AgentRig {
  readonly folder = mkdtempSync(join(tmpdir(), "hansa-agents-"));
  readonly octet = 100 + (process.pid % 120);
  readonly tokens = { viewer: secret(), operator: secret(), admin: secret() };
  readonly #children: Child[] = [];
  readonly #agents = new Map<Name, Child>();
  readonly #apps: App[] = [];
  hub!: HubRig;

  /** `hubConfig`: sections of hub.yaml to change. */
  static async start(hubConfig: Readonly<Record<string, unknown>> = {}): Promise<AgentRig> {
    const rig = new AgentRig();
    rig.hub = await HubRig.start({ config: hubConfig });
    return rig;
  }

  address(name: Name, host: number): string {
    return `127.${this.octet}.${NUMBER[name]}.${host}`;
  }

  dataDir(name: Name): string {
    return join(this.folder, name, "agent");
  }

  /** Replaces the cluster's file source, as a user would: beside it, then renamed. */
  source(name: Name, document: Yaml | string): void {
    const file = join(this.folder, name, "source.yaml");
    mkdirSync(join(this.folder, name), { recursive: true });
    writeFileSync(`${file}.new`, typeof document === "string" ? document : stringify(document));
    renameSync(`${file}.new`, file);
  }

  async joinToken(name: Name, changes: Yaml = {}): Promise<string> {
    const grant = {
      namespaces: ["shop"],
      cidrs: [`127.${this.octet}.${NUMBER[name]}.0/24`],
      region: REGIONS[name],
      zones: ["a", "b"],
      network: name,
      claims: [],
      quotas: {
        services: 1000,
        endpoints: 1000,
        identities: 1000,
        bytesPerSecond: 1e6,
        recordsPerSecond: 100,
      },
      ...changes,
    };
    const order = { kind: "join", cluster: name, grant, ttlSeconds: 60 };
    let token = "";
    await until("the hub makes a token", async () => {
      token = (await this.hub.post<{ token: string }>("/v1/tokens", order)).data.token;
      return true;
    });
    return token;
  }

  configure(name: Name, joinToken: string, more: Yaml = {}): string {
    const sha256 = (token: string) => createHash("sha256").update(token).digest("hex");
    const config = {
      cluster: name,
      dataDir: this.dataDir(name),
      socketDir: join(this.folder, name, "s"),
      source: { file: join(this.folder, name, "source.yaml") },
      region: REGIONS[name],
      zones: ["a", "b"],
      network: name,
      namespaces: ["shop"],
      cidrs: [`127.${this.octet}.${NUMBER[name]}.0/24`],
      hub: { url: this.hub.target().url },
      joinToken,
      nats: { servers: [this.hub.nats.url] },
      admin: {
        host: this.address(name, 2),
        port: 15_010,
        tokens: Object.entries(this.tokens).map(([role, token]) => ({
          name: role,
          role,
          sha256: sha256(token),
        })),
      },
      gateway: { name: "gw", address: this.address(name, 1), port: 15_443 },
      ...more,
    };
    const file = join(this.folder, name, "agent.yaml");
    mkdirSync(join(this.folder, name), { recursive: true });
    writeFileSync(file, stringify(config), { mode: 0o600 });
    return file;
  }

  /** `within`: a program and its arguments that run the agent's command line. */
  async agent(
    name: Name,
    { env = {}, within = [] }: { readonly env?: NodeJS.ProcessEnv; readonly within?: readonly string[] } = {},
  ): Promise<Child> {
    const command = [
      process.execPath,
      "--disable-warning=ExperimentalWarning",
      MAIN,
      "--config",
      join(this.folder, name, "agent.yaml"),
    ];
    const [file = "", ...args] = [...within, ...command];
    const child = await startChild({
      argv: [file, ...args],
      log: this.logFile(name),
      env: { ...process.env, ...env },
      stopSignal: "SIGTERM",
      isReady: () => this.ready(name),
    });
    this.#agents.set(name, child);
    return child;
  }

  async end(name: Name, how: "stop" | "kill" = "kill"): Promise<void> {
    await this.#agents.get(name)?.[how]();
  }

  async restart(name: Name, how: "stop" | "kill" = "kill"): Promise<void> {
    await this.end(name, how);
    await this.agent(name);
  }

  pidOf(name: Name): number {
    const agent = this.#agents.get(name);
    if (agent === undefined) throw new Error(`no agent of ${name} was started`);
    return agent.pid;
  }

  async metrics(name: Name): Promise<string> {
    const { url, caPem, token } = this.target(name);
    return await new Promise((resolve, reject) => {
      request(`${url}/metrics`, { ca: caPem, headers: { authorization: `Bearer ${token}` } }, (answer) => {
        let text = "";
        answer.on("data", (chunk) => {
          text += chunk;
        });
        answer.on("end", () => resolve(text));
      })
        .on("error", reject)
        .end();
    });
  }

  logFile(name: Name): string {
    return join(this.folder, `${name}.log`);
  }

  log(name: Name): string {
    return readFileSync(this.logFile(name), "utf8");
  }

  target(name: Name, token: string = this.tokens.admin): ApiTarget {
    return {
      url: `https://${this.address(name, 2)}:15010`,
      caPem: readFileSync(join(this.dataDir(name), "admin-ca.pem"), "utf8"),
      token,
    };
  }

  async get<Data>(name: Name, path: string, token?: string): Promise<Data> {
    return ((await callApi(this.target(name, token), { path })) as { data: Data }).data;
  }

  async post<Data>(name: Name, path: string, body: unknown, token?: string): Promise<Data> {
    return (await callApi(this.target(name, token), { method: "POST", path, body })) as Data;
  }

  async ready(name: Name): Promise<boolean> {
    try {
      await callApi(this.target(name, ""), { path: "/readyz", timeoutMs: 2000 });
      return true;
    } catch {
      return false;
    }
  }

  async envoy(name: Name, proxy: string, address: string): Promise<Child> {
    const bootstrap = await callApi(this.target(name), {
      path: `/v1/proxies/${encodeURIComponent(proxy)}/bootstrap`,
    });
    const file = join(this.folder, `${name}-${proxy.replaceAll("/", "-")}`);
    writeFileSync(`${file}.json`, JSON.stringify(bootstrap));
    const child = await startChild({
      argv: [envoyBinary(), ...envoyArguments({ bootstrapPath: `${file}.json`, drainSeconds: 5 })],
      log: `${file}.log`,
      stopSignal: "SIGTERM",
      isReady: async () =>
        (
          await fetch(`http://${address}:15000/ready`).then(
            (answer) => answer.text(),
            () => "",
          )
        ).startsWith("LIVE"),
    });
    this.#children.push(child);
    return child;
  }

  async app(kind: "http" | "tcp", name: string, address: string): Promise<void> {
    this.#apps.push(await (kind === "http" ? httpApp : tcpApp)(name, address, 8080));
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#agents.values(), ...this.#children].map((child) => child.stop()));
    await Promise.all(this.#apps.map((app) => app.close()));
    await this.hub.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const secret = (): string => randomBytes(16).toString("hex");

export { until };

export const replica = (id: string, address: string, ready = true) => ({
  id,
  address,
  port: 15_006,
  ready,
  zone: "a",
  app: { address, port: 8080 },
});

export const workload = (
  name: string,
  replicas: readonly unknown[],
  services: readonly string[] = [name],
) => ({
  namespace: "shop",
  name,
  serviceAccount: name,
  desired: replicas.length,
  services,
  replicas,
});

export const service = (name: string, protocol: "http" | "tcp", exported = true) => ({
  namespace: "shop",
  name,
  created: "2026-01-01T00:00:00Z",
  ports: [{ name: protocol, port: protocol === "http" ? 80 : 5432, protocol }],
  ...(exported ? { export: { since: "2026-01-01T00:00:00Z", to: "all" } } : {}),
});

export const allow = (name: string, cluster: string, serviceAccount: string) => ({
  name: `${serviceAccount}-${name}-${cluster}`,
  namespace: "shop",
  service: name,
  from: [{ cluster, namespace: "shop", serviceAccount }],
});
