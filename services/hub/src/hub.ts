/**
 * The hub as a whole: connections, the API, and its terms as leader. Everything that may be away
 * (Postgres, NATS) may be away for any time; only a taken API address ends the process.
 */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { connectHubBus } from "@hansa/bus";
import { claimArchive, insertApiToken, openStore } from "@hansa/store";
import type { Hub, Readiness } from "./api/hub.ts";
import { routes } from "./api/routes.ts";
import { serveApi } from "./api/server.ts";
import { type HubConfig, ownUrlOf, streamSizeOf } from "./config.ts";
import type { HubContext, Ports } from "./context.ts";
import { loadKeys } from "./keys.ts";
import type { Leader } from "./leader/leader.ts";
import { type Role, Terms } from "./leader/terms.ts";
import { ArchiveReader } from "./read/archive-reader.ts";
import { Commits } from "./read/commits.ts";

const MIGRATIONS = fileURLToPath(new URL("../../../migrations", import.meta.url));

export interface RunningHub {
  readonly apiPort: number;
  /** Rejects where this hub can never serve here (HSA1004); resolves after `close`. */
  readonly ended: Promise<void>;
  close(): Promise<void>;
}

export async function startHub(config: HubConfig, ports: Ports): Promise<RunningHub> {
  const { log, timers } = ports;
  const keys = await loadKeys(config.dir, ports);
  const store = openStore({
    url: config.postgres.url,
    connectionsMax: config.postgres.connectionsMax,
    onIdleError: (error) => log.warn("archive: connection lost", { reason: error.message }),
  });
  let migrated = false;
  const bus = await connectHubBus({
    servers: config.nats.servers,
    issuer: keys.issuer,
    streams: streamSizeOf(config),
    accounts: async () => {
      // Before the first migration there are none.
      if (!migrated) return [];
      return (await store.busAccounts("all")).map(({ jwt }) => jwt);
    },
    log,
    timers,
    random: ports.random,
    ...(config.nats.caFile === undefined ? {} : { caPem: readFileSync(config.nats.caFile, "utf8") }),
  });
  const context: HubContext = { ...ports, config, keys, store, bus };
  const running = new Running(context, () => {
    migrated = true;
  });
  const server = await serveApi(running, routes(running)).catch(async (error: unknown) => {
    await Promise.allSettled([bus.close(), store.close()]);
    throw error;
  });
  const loop = running.run();
  return {
    apiPort: server.port,
    ended: loop,
    async close() {
      running.commits.close();
      await server.close();
      running.stop();
      await loop.catch(() => {});
      await bus.close();
      await store.close();
    },
  };
}

class Running implements Hub {
  readonly config;
  readonly keys;
  readonly store;
  readonly bus;
  readonly clock;
  readonly timers;
  readonly random;
  readonly crypto;
  readonly log;
  readonly metrics;
  readonly reader: ArchiveReader;
  readonly commits: Commits;
  readonly #context: HubContext;
  readonly #onMigrated: () => void;
  readonly #terms: Terms;
  #busUp = false;

  constructor(context: HubContext, onMigrated: () => void) {
    this.#context = context;
    this.#onMigrated = onMigrated;
    this.config = context.config;
    this.keys = context.keys;
    this.store = context.store;
    this.bus = context.bus;
    this.clock = context.clock;
    this.timers = context.timers;
    this.random = context.random;
    this.crypto = context.crypto;
    this.log = context.log;
    this.metrics = context.metrics;
    this.reader = new ArchiveReader(context);
    this.commits = new Commits(context.timers);
    this.#terms = new Terms(context, {
      prepare: () => this.#prepare(),
      onCommit: (position) => this.commits.announce(position),
      ownUrl: ownUrlOf(context.config),
    });
    this.bus.connection((up) => {
      this.#busUp = up;
      this.metrics.gauge("hansa_bus_up", up ? 1 : 0);
    });
  }

  get leader(): Leader | null {
    return this.#terms.leader;
  }

  get role(): Role {
    return this.#terms.role;
  }

  async readiness(): Promise<Readiness> {
    const archive = await this.reader.now().then(
      () => true,
      () => false,
    );
    const { leader, role } = this;
    const current = leader === null || leader.recovered;
    const checks = { archive, bus: this.#busUp, current };
    return { ready: Object.values(checks).every(Boolean) && role !== "starting", role, checks };
  }

  run(): Promise<void> {
    return this.#terms.run();
  }

  stop(): void {
    this.#terms.stop();
  }

  async #prepare(): Promise<void> {
    const { store, log, keys } = this.#context;
    const applied = await store.migrate(MIGRATIONS);
    if (applied.length > 0) log.info("archive: migrated", { files: applied.join(" ") });
    await claimArchive(store.db, keys.fingerprint);
    this.#onMigrated();
    await this.#importAdminToken();
  }

  /** The secret that `init` wrote, as a hash. A token that was revoked stays revoked. */
  async #importAdminToken(): Promise<void> {
    const { adminSecret } = this.keys;
    if (adminSecret === undefined || adminSecret === "") return;
    const token = {
      id: "init",
      name: "first admin",
      role: "admin",
      cluster: null,
      createdBy: "init",
    } as const;
    const createdMs = this.clock.nowMs();
    await insertApiToken(this.store.db, { ...token, createdMs, expiresMs: null }, adminSecret);
  }
}
