/**
 * The lab in the place of a platform team: founds the federation with a 1-of-1 operator, admits the clusters with
 * tokens and writes everybody's configuration and credentials. All through the hub's and agents' own interfaces.
 */
import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { base64, HansaError } from "@hansa/core";
import { type ApiTarget, callApi, newSigningKey } from "@hansa/identity";
import { stringify } from "yaml";
import { type LabPaths, makePrivate } from "../../../../deploy/tools/lab-paths.ts";
import { root } from "../../../../deploy/tools/paths.mjs";
import { type AddressPlan, PORTS } from "../addresses.ts";
import type { Topology, TopologyCluster } from "../topology/types.ts";

interface FederationOptions {
  readonly topology: Topology;
  readonly paths: LabPaths;
  readonly plan: AddressPlan;
  /** Further names or addresses by which agents know the hub. */
  readonly hubNames?: readonly string[];
}

const BOOTSTRAP_WAIT_MS = 15_000;
export const GATEWAY_NAME = "gw";

export class Federation {
  readonly #options: FederationOptions;
  readonly #agentTokens = new Map<string, string>();
  fingerprint = "";

  constructor(options: FederationOptions) {
    this.#options = options;
  }

  get #hubFolder(): string {
    return join(this.#options.paths.state, "hub");
  }

  get #operatorKey(): string {
    return join(this.#options.paths.state, "operator-key.pem");
  }

  clusterFolder(cluster: string): string {
    return join(this.#options.paths.state, "clusters", cluster);
  }

  /** Operator key, genesis, hub keys, NATS configuration. */
  async found(): Promise<void> {
    const { topology, plan } = this.#options;
    const operator = newSigningKey();
    writeFileSync(this.#operatorKey, operator.pkcs8, { mode: 0o600 });
    const flags = {
      dir: this.#hubFolder,
      federation: topology.federation,
      operators: base64(operator.signer.publicKey),
      threshold: "1",
      "api-hosts": [plan.shared("hub"), ...(this.#options.hubNames ?? [])].join(","),
      "api-port": String(PORTS.hubApi),
      nats: `nats://${plan.shared("nats")}:${PORTS.nats}`,
    };
    const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
    const program = [join(root, "services/hub/src/main.ts"), "init", "--lab", ...args];
    const { stdout } = await promisify(execFile)(process.execPath, program).catch(
      (error: { stderr?: string }) => {
        throw new HansaError("HSA6005", `hub init: ${error.stderr ?? String(error)}`);
      },
    );
    this.fingerprint = (JSON.parse(stdout) as { fingerprint: string }).fingerprint;
  }

  natsConfig(): string {
    return readFileSync(join(this.#hubFolder, "nats.conf"), "utf8");
  }

  writeHubConfig(postgresUrl: string): string {
    const { plan, topology } = this.#options;
    const host = plan.shared("hub");
    const file = join(this.#hubFolder, "hub.yaml");
    const config = {
      dir: ".",
      postgres: { url: postgresUrl },
      nats: {
        servers: [`nats://${plan.shared("nats")}:${PORTS.nats}`],
        recordsPerLogMax: 256,
        sourcesMax: Math.max(16, topology.clusters.length + 4),
      },
      api: { host, port: PORTS.hubApi, hosts: [host, ...(this.#options.hubNames ?? [])] },
    };
    writeFileSync(file, stringify(config), { mode: 0o600 });
    return file;
  }

  /** Throws until `init` has run. */
  hubTarget(): ApiTarget {
    const read = (name: string) => readFileSync(join(this.#hubFolder, name), "utf8").trim();
    return {
      url: `https://${this.#options.plan.shared("hub")}:${PORTS.hubApi}`,
      caPem: read("api-ca.pem"),
      token: read("admin-token"),
    };
  }

  async writeAgentConfig(cluster: TopologyCluster, number: number, sourceFile: string): Promise<string> {
    const { plan, paths, topology } = this.#options;
    const folder = this.clusterFolder(cluster.name);
    const socketDir = join(paths.sockets, cluster.name);
    for (const path of [folder, socketDir]) makePrivate(path);
    const namespaces = [...new Set(topology.services.map(({ namespace }) => namespace))];
    const wanted = {
      namespaces: namespaces.length > 0 ? namespaces : ["*"],
      cidrs: [plan.cidr(number)],
      region: cluster.region,
      zones: cluster.zones,
      network: cluster.network,
    };
    const { data } = (await callApi(this.hubTarget(), {
      method: "POST",
      path: "/v1/tokens",
      body: { cluster: cluster.name, grant: wanted },
    })) as { data: { token: string } };
    const secret = randomBytes(32).toString("base64url");
    this.#agentTokens.set(cluster.name, secret);
    const config = {
      cluster: cluster.name,
      dataDir: join(folder, "agent"),
      socketDir,
      source: { file: sourceFile },
      ...wanted,
      hub: { url: this.hubTarget().url, caPem: this.hubTarget().caPem },
      joinToken: data.token,
      nats: { servers: [`nats://${plan.shared("nats")}:${PORTS.nats}`] },
      admin: {
        host: plan.agent(number),
        port: PORTS.agentAdmin,
        tokens: [{ name: "lab", role: "admin", sha256: createHash("sha256").update(secret).digest("hex") }],
      },
      gateway: { name: GATEWAY_NAME, address: plan.gateway(number), port: PORTS.gateway },
      sidecar: { outboundPort: PORTS.outbound, adminPort: PORTS.envoyAdmin },
    };
    const file = join(folder, "agent.yaml");
    writeFileSync(file, stringify(config), { mode: 0o600 });
    return file;
  }

  /** Throws until the agent has made its API's CA. */
  agentTarget(cluster: string): ApiTarget {
    const number = this.#options.topology.clusters.findIndex(({ name }) => name === cluster) + 1;
    return {
      url: `https://${this.#options.plan.agent(number)}:${PORTS.agentAdmin}`,
      caPem: readFileSync(join(this.clusterFolder(cluster), "agent", "admin-ca.pem"), "utf8"),
      token: this.#agentTokens.get(cluster) ?? "",
    };
  }

  hubReady = (): Promise<boolean> => isReady(() => this.hubTarget());
  agentReady = (cluster: string): Promise<boolean> => isReady(() => this.agentTarget(cluster));

  /** Envoy's bootstrap from its agent; waits for the agent to have read of the proxy in its source. */
  async bootstrap(cluster: string, proxy: string): Promise<unknown> {
    const deadline = performance.now() + BOOTSTRAP_WAIT_MS;
    for (;;) {
      try {
        return await callApi(this.agentTarget(cluster), {
          path: `/v1/proxies/${encodeURIComponent(proxy)}/bootstrap`,
        });
      } catch (error) {
        if (performance.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  /** The context file of the CLI. */
  writeCredentials(
    agents: readonly string[] = this.#options.topology.clusters.map(({ name }) => name),
  ): void {
    const { topology, paths } = this.#options;
    const context = {
      federation: topology.federation,
      hub: this.hubTarget(),
      agents: Object.fromEntries(agents.map((name) => [name, this.agentTarget(name)])),
      operatorKeys: existsSync(this.#operatorKey) ? [this.#operatorKey] : [],
    };
    writeFileSync(paths.credentials, JSON.stringify(context, null, 2), { mode: 0o600 });
  }
}

async function isReady(target: () => ApiTarget): Promise<boolean> {
  try {
    await callApi(target(), { path: "/readyz", timeoutMs: 2000 });
    return true;
  } catch {
    return false;
  }
}
