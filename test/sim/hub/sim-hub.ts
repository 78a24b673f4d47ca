/** One hub process: the real terms of office, leader, projector, own lane and membership, on a simulated bus and archive. */
import { type AccountKey, noMetrics, type Signer, silentLog } from "@hansa/core";
import { fingerprintOf, type Genesis } from "@hansa/events";
import type { Federation } from "@hansa/model";
import type { LeaderContext } from "../../../services/hub/src/context.ts";
import type { Leader } from "../../../services/hub/src/leader/leader.ts";
import { Terms } from "../../../services/hub/src/leader/terms.ts";
import { type ArchiveFaults, SimArchiveLink } from "../archive/link.ts";
import { type ArchiveServer, MemoryArchive } from "../archive/memory-archive.ts";
import { type Kernel, Machine } from "../kernel.ts";
import type { SimBroker } from "../sim-broker.ts";
import { simCrypto } from "../sim-crypto.ts";
import { type AccountClaims, SimHubBus } from "./sim-hub-bus.ts";

/** Shorter than in production, so that holes are given up within a run. */
const GAP_HOLD_MS = 20_000;

export interface SimHubOptions {
  readonly name: string;
  readonly kernel: Kernel;
  readonly broker: SimBroker;
  readonly server: ArchiveServer;
  readonly archiveFaults: ArchiveFaults;
  readonly genesis: Genesis;
  readonly signer: Signer;
  /** A hub ended by itself, which none may. */
  readonly onBroken: (error: unknown) => void;
  /** It died in the middle of a write. */
  readonly onDeath: (hub: SimHub) => void;
}

export class SimHub {
  readonly machine: Machine;
  readonly bus: SimHubBus;
  readonly archive: MemoryArchive;
  readonly #terms: Terms;
  readonly context: LeaderContext;
  readonly #broker: SimBroker;
  readonly #link: SimArchiveLink;
  readonly #onDeath: (hub: SimHub) => void;

  constructor(options: SimHubOptions) {
    const { name, kernel, broker, server, archiveFaults, genesis, signer } = options;
    this.#broker = broker;
    this.#onDeath = options.onDeath;
    this.machine = new Machine(kernel, name);
    this.bus = new SimHubBus({ machine: this.machine, broker, account: genesis.hubAccount as AccountKey });
    this.#link = new SimArchiveLink(kernel, this.machine, archiveFaults);
    this.archive = new MemoryArchive(server, this.#link);
    const { clock, timers, random } = this.machine;
    this.context = {
      clock,
      timers,
      random,
      crypto: simCrypto,
      log: silentLog,
      metrics: noMetrics,
      config: {
        nats: { servers: ["sim"], sourcesMax: 16, replicas: 1 },
        suspendMs: 5000,
        gapHoldMs: GAP_HOLD_MS,
      },
      keys: {
        genesis,
        fingerprint: fingerprintOf(genesis, simCrypto),
        signer,
        tls: { certPem: "" },
        issuer: {
          hubAccount: genesis.hubAccount as AccountKey,
          issueAccount: ({ accountKey, suspended = false }) =>
            Promise.resolve(claims({ accountKey, suspended })),
          issueUser: () => Promise.resolve("a user"),
        },
      },
      store: this.archive,
      bus: this.bus,
    };
    this.#terms = new Terms(this.context, { prepare: async () => {}, onCommit: () => {} });
    this.#terms.run().catch(options.onBroken);
  }

  /** While this process leads. */
  get leader(): Leader | null {
    return this.machine.alive ? this.#terms.leader : null;
  }

  /** The committed fold, while this process leads. */
  get fed(): Federation | null {
    return this.leader?.fed ?? null;
  }

  dieAtWrite(writes: number, takesEffect: boolean): void {
    this.#link.dieAtWrite(writes, takesEffect, () => this.#onDeath(this));
  }

  /** It does not die at a write after all. */
  live(): void {
    this.#link.live();
  }

  kill(): void {
    this.machine.kill();
    this.archive.disconnect();
    this.#broker.detach(this.bus);
  }
}

const claims = (account: AccountClaims & { readonly accountKey: AccountKey }): string =>
  JSON.stringify(account);
