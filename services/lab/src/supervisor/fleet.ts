/**
 * What the lab's components are: command, configuration, addresses and proof of health of each.
 * Writes configurations below the state folder. Starts nothing and knows no order.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Argv, startChild } from "../../../../deploy/tools/child.ts";
import type { LabPaths } from "../../../../deploy/tools/lab-paths.ts";
import { startNats } from "../../../../deploy/tools/nats.ts";
import { envoyBinary, root } from "../../../../deploy/tools/paths.mjs";
import { startPostgres } from "../../../../deploy/tools/postgres.ts";
import { type AddressPlan, PORTS } from "../addresses.ts";
import type { Topology, TopologyCluster } from "../topology/types.ts";
import type { ComponentKind, ComponentSpec } from "./component.ts";
import { Federation, GATEWAY_NAME } from "./federation.ts";
import { GivenPostgres } from "./given-postgres.ts";
import { accepts, answersOk } from "./probes.ts";
import { proxyIdOf, type Replica, type Replicas, replicaName } from "./replicas.ts";

/** Gateways let go of a removed export's connections within this time (design §6). */
const ENVOY_DRAIN_S = 45;

export interface FleetOptions {
  readonly topology: Topology;
  readonly paths: LabPaths;
  readonly plan: AddressPlan;
  readonly hubNames?: readonly string[];
}

export class Fleet {
  readonly #options: FleetOptions;
  readonly federation: Federation;
  #postgresUrl = "";
  #given: GivenPostgres | undefined;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.federation = new Federation(options);
  }

  sourceFile(cluster: string): string {
    return join(this.federation.clusterFolder(cluster), "source.yaml");
  }

  /** HANSA_POSTGRES_URL names a server to use instead of one of the lab's own. */
  postgres(): ComponentSpec {
    const given = process.env.HANSA_POSTGRES_URL;
    if (given) {
      const database = new GivenPostgres(given);
      this.#given = database;
      this.#postgresUrl = database.url;
      const { host: sql } = new URL(given);
      return this.#spec("postgres", "postgres", "", { sql }, "", () => database.start());
    }
    const host = this.#options.plan.shared("postgres");
    const dataDir = join(this.#options.paths.state, "postgres");
    return this.#spec("postgres", "postgres", "", { sql: `${host}:${PORTS.postgres}` }, "", async (log) => {
      const server = await startPostgres({ dataDir, host, port: PORTS.postgres, log });
      this.#postgresUrl = server.url;
      return server;
    });
  }

  /** What is left when all components have ended. */
  async end(): Promise<void> {
    await this.#given?.drop();
  }

  nats(): ComponentSpec {
    const host = this.#options.plan.shared("nats");
    const dir = join(this.#options.paths.state, "nats");
    return this.#spec("nats", "nats", "", { nats: `${host}:${PORTS.nats}` }, "", async () =>
      startNats({ dir, host, port: PORTS.nats, config: this.federation.natsConfig() }),
    );
  }

  hub(): ComponentSpec {
    const host = this.#options.plan.shared("hub");
    const admin = `https://${host}:${PORTS.hubApi}`;
    return this.#spec("hub", "hub", "", { api: `${host}:${PORTS.hubApi}` }, admin, (log) => {
      const config = this.federation.writeHubConfig(this.#postgresUrl);
      // The variable would name the server, not the lab's database on it.
      const env = { ...process.env, HANSA_POSTGRES_URL: this.#postgresUrl };
      return this.#node(
        ["services/hub/src/main.ts", "--config", config],
        log,
        () => this.federation.hubReady(),
        env,
      );
    });
  }

  async agent(cluster: TopologyCluster): Promise<ComponentSpec> {
    const number = this.#clusterNumber(cluster.name);
    const host = this.#options.plan.agent(number);
    const config = await this.federation.writeAgentConfig(cluster, number, this.sourceFile(cluster.name));
    const admin = `https://${host}:${PORTS.agentAdmin}`;
    return this.#spec(
      `${cluster.name}/agent`,
      "agent",
      cluster.name,
      { admin: `${host}:${PORTS.agentAdmin}` },
      admin,
      (log) =>
        this.#node(["services/agent/src/main.ts", "--config", config], log, () =>
          this.federation.agentReady(cluster.name),
        ),
    );
  }

  gateway(cluster: TopologyCluster): ComponentSpec {
    const host = this.#options.plan.gateway(this.#clusterNumber(cluster.name));
    return this.#envoy(`${cluster.name}/gateway`, "gateway", cluster.name, host, `gateway/${GATEWAY_NAME}`, {
      mtls: `${host}:${PORTS.gateway}`,
    });
  }

  sidecar(replica: Replica): ComponentSpec {
    const { address } = replica;
    const ports = { inbound: `${address}:${PORTS.inbound}`, outbound: `${address}:${PORTS.outbound}` };
    return this.#envoy(
      `${replicaName(replica)}/sidecar`,
      "sidecar",
      replica.cluster,
      address,
      proxyIdOf(replica),
      ports,
    );
  }

  app(replica: Replica): ComponentSpec {
    const { workload, cluster, id, address } = replica;
    const protocol =
      this.#options.topology.services.find(
        (service) => service.namespace === workload.namespace && workload.services.includes(service.name),
      )?.ports[0]?.protocol ?? "http";
    const about = {
      address,
      port: PORTS.app,
      protocol,
      cluster,
      namespace: workload.namespace,
      workload: workload.name,
      replica: id,
      version: workload.version,
    };
    const args = Object.entries(about).flatMap(([name, value]) => [`--${name}`, String(value)]);
    return this.#spec(
      `${replicaName(replica)}/app`,
      "app",
      cluster,
      { [protocol]: `${address}:${PORTS.app}` },
      "",
      (log) =>
        this.#node(["services/lab/src/workload/main.ts", ...args], log, () => accepts(address, PORTS.app)),
    );
  }

  /** Where callers find everything (control API `/place`). */
  place(replicas: Replicas) {
    const { topology } = this.#options;
    return {
      federation: topology.federation,
      fingerprint: this.federation.fingerprint,
      outboundPort: PORTS.outbound,
      services: topology.services,
      replicas: topology.clusters
        .flatMap(({ name }) => replicas.of(name))
        .map((replica) => ({
          cluster: replica.cluster,
          namespace: replica.workload.namespace,
          workload: replica.workload.name,
          id: replica.id,
          address: replica.address,
          proxy: proxyIdOf(replica),
          admin: `http://${replica.address}:${PORTS.envoyAdmin}`,
        })),
    };
  }

  #clusterNumber(cluster: string): number {
    return this.#options.topology.clusters.findIndex(({ name }) => name === cluster) + 1;
  }

  #envoy(
    name: string,
    kind: ComponentKind,
    cluster: string,
    host: string,
    proxy: string,
    ports: Record<string, string>,
  ): ComponentSpec {
    const admin = `http://${host}:${PORTS.envoyAdmin}`;
    return this.#spec(name, kind, cluster, ports, admin, async (log) => {
      const bootstrap = await this.federation.bootstrap(cluster, proxy);
      const file = join(
        this.federation.clusterFolder(cluster),
        `bootstrap-${proxy.replaceAll("/", "-")}.json`,
      );
      writeFileSync(file, JSON.stringify(bootstrap), { mode: 0o600 });
      const flags = [
        "--use-dynamic-base-id",
        "--concurrency",
        "1",
        "--drain-time-s",
        String(ENVOY_DRAIN_S),
        "--log-level",
        "warning",
      ];
      return await this.#start([envoyBinary(), "-c", file, ...flags], log, () => answersOk(`${admin}/ready`));
    });
  }

  #node(
    args: readonly [string, ...string[]],
    log: string,
    isReady: () => Promise<boolean>,
    env = process.env,
  ) {
    const [file, ...rest] = args;
    return this.#start(
      [process.execPath, "--disable-warning=ExperimentalWarning", join(root, file), ...rest],
      log,
      isReady,
      env,
    );
  }

  #start(argv: Argv, log: string, isReady: () => Promise<boolean>, env = process.env) {
    return startChild({
      argv,
      log,
      env,
      isReady,
      stopSignal: "SIGTERM",
      stopWithinMs: 5000,
      readyWithinMs: 60_000,
    });
  }

  #spec(
    name: string,
    kind: ComponentKind,
    cluster: string,
    ports: Record<string, string>,
    admin: string,
    start: (log: string) => ReturnType<ComponentSpec["start"]>,
  ): ComponentSpec {
    const log = join(this.#options.paths.logs, `${name.replaceAll("/", "-")}.log`);
    return { name, kind, cluster, ports, admin, log, start: () => start(log) };
  }
}
