/**
 * The hub's side of a simulated federation: the archive, which survives, the hub processes on it, and those who call
 * them over HTTPS. Calls find whichever hub leads; a call may get lost on either way.
 */
import { HansaError, isHansaError, type Signer } from "@hansa/core";
import type { Genesis } from "@hansa/events";
import type { Federation } from "@hansa/model";
import type { LateRecord } from "../../../services/agent/src/log/late-records.ts";
import { takeLate } from "../../../services/hub/src/leader/late-records.ts";
import type { Leader } from "../../../services/hub/src/leader/leader.ts";
import type { ArchiveFaults } from "../archive/link.ts";
import { ArchiveServer } from "../archive/memory-archive.ts";
import type { Tables } from "../archive/tables.ts";
import type { Kernel, Machine, Seeded } from "../kernel.ts";
import type { SimBroker } from "../sim-broker.ts";
import { type Applicant, GRANT, joinBodyOf } from "./application.ts";
import { SimHub } from "./sim-hub.ts";

const CALL_TIMEOUT_MS = 15_000;
const RETRY_MS = 2000;
const TOKEN_TTL_MS = 600_000;
const BACKUP_MS = 4000;
const BACKUPS_MAX = 6;
export const CALM_ARCHIVE: ArchiveFaults = { up: true, delayMaxMs: 2, loseAnswer: 0 };

export interface HeadquartersOptions {
  readonly kernel: Kernel;
  readonly broker: SimBroker;
  readonly genesis: Genesis;
  readonly signer: Signer;
  readonly onBroken: (error: unknown) => void;
}

export class Headquarters {
  readonly server: ArchiveServer;
  readonly archiveFaults: ArchiveFaults = { ...CALM_ARCHIVE };
  readonly #options: HeadquartersOptions;
  readonly #random: Seeded;
  readonly #wishes = new Map<string, { readonly applicant: Applicant; readonly isMember: boolean }>();
  /** As the hub has answered. */
  readonly #isMember = new Map<string, boolean>();
  readonly #unsure = new Set<string>();
  readonly #tokens = new Map<string, string>();
  #hubs: SimHub[] = [];
  #backups: Tables[] = [];
  #secrets = 0;

  constructor(options: HeadquartersOptions) {
    const { kernel } = options;
    this.#options = options;
    this.#random = kernel.fork();
    this.server = new ArchiveServer(kernel.wallMs);
    const backUp = (): void => {
      this.#backups = [...this.#backups, this.server.backup()].slice(-BACKUPS_MAX);
      kernel.schedule(BACKUP_MS, backUp);
    };
    kernel.schedule(BACKUP_MS, backUp);
  }

  // === processes ===

  get hubs(): readonly SimHub[] {
    return this.#hubs;
  }

  start(name = "hub"): SimHub {
    const { kernel, broker, genesis, signer, onBroken } = this.#options;
    const { server, archiveFaults } = this;
    const hub = new SimHub({
      ...{ name, kernel, broker, server, archiveFaults, genesis, signer, onBroken },
      onDeath: (dead) => this.kill(dead),
    });
    this.#hubs.push(hub);
    return hub;
  }

  kill(hub: SimHub): void {
    hub.kill();
    this.#hubs = this.#hubs.filter((other) => other !== hub);
  }

  startOne(): void {
    if (this.#hubs.length === 0) this.start();
  }

  /** All faults end: one hub is left, and everything works. */
  calm(): void {
    this.startArchive();
    this.calmArchive();
    for (const hub of this.#hubs.slice(1)) this.kill(hub);
    this.startOne();
    for (const hub of this.#hubs) {
      hub.live();
      hub.machine.resume();
      hub.bus.heal();
    }
    for (const { applicant } of [...this.#wishes.values()]) this.wish(applicant, true);
  }

  // === archive ===

  stopArchive(): void {
    this.archiveFaults.up = false;
    this.server.endSessions();
  }

  startArchive(): void {
    this.archiveFaults.up = true;
  }

  calmArchive(): void {
    Object.assign(this.archiveFaults, { ...CALM_ARCHIVE, up: this.archiveFaults.up });
  }

  /** As it was in one of the latest backups; no hub survives that. */
  restoreArchive(): void {
    const backup = this.#backups[this.#random.below(this.#backups.length)];
    if (backup === undefined) return;
    for (const hub of this.#hubs) this.kill(hub);
    this.server.restore(backup);
  }

  /** The hub that leads. Of two that believe so, the one that was elected last. */
  get leading(): SimHub | undefined {
    return this.#hubs
      .filter(({ leader }) => leader !== null)
      .sort((a, b) => (a.leader?.epoch ?? 0) - (b.leader?.epoch ?? 0))
      .at(-1);
  }

  get fed(): Federation | null {
    return this.leading?.fed ?? null;
  }

  // === over HTTPS ===

  call<Result>(work: (leader: Leader, hub: SimHub) => Promise<Result>, caller?: Machine): Promise<Result> {
    const { kernel, broker } = this.#options;
    const delayMs = (): number => 1 + this.#random.float() * broker.faults.delayMaxMs;
    const isLost = (probability: number): boolean => this.#random.chance(probability);
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => void kernel.schedule(delayMs(), () => reject(error), caller);
      kernel.schedule(CALL_TIMEOUT_MS, () => reject(new HansaError("HSA1012", "sim: no answer")), caller);
      if (isLost(broker.faults.loseRequest)) return;
      kernel.schedule(delayMs(), () => {
        const hub = this.leading ?? this.#hubs[0];
        if (hub === undefined) return fail(new HansaError("HSA1012", "sim: no hub"));
        const arrive = () => {
          const { leader } = hub;
          if (leader === null) return fail(new HansaError("HSA1012", "sim: standby"));
          (async () => work(leader, hub))().then((result) => {
            if (!isLost(broker.faults.loseAnswer)) kernel.schedule(delayMs(), () => resolve(result), caller);
          }, fail);
        };
        kernel.schedule(0, arrive, hub.machine);
      });
    });
  }

  bringLate(cluster: string, records: readonly LateRecord[], caller: Machine): Promise<void> {
    return this.call(async (leader, hub) => {
      await takeLate(hub.context, leader, cluster, records);
    }, caller);
  }

  // === membership ===

  /** It was let in, and its leave or return, where it wished one, is through. */
  isSettled(name: string): boolean {
    const wish = this.#wishes.get(name);
    return wish !== undefined && !this.#unsure.has(name) && wish.isMember === this.#isMember.get(name);
  }

  isAdmitted(name: string): boolean {
    return this.#isMember.has(name);
  }

  /** A cluster joins or leaves as soon as a hub lets it; it asks until then. */
  wish(applicant: Applicant, isMember: boolean): void {
    const { name } = applicant;
    const isAsking = this.#wishes.has(name) && !this.isSettled(name);
    this.#wishes.set(name, { applicant, isMember });
    if (!isAsking) void this.#follow(name);
  }

  async #follow(name: string): Promise<void> {
    for (;;) {
      const wish = this.#wishes.get(name);
      if (wish === undefined || this.isSettled(name)) return;
      try {
        // What the hub did without answering may be the opposite of what is wished by then.
        this.#unsure.add(name);
        if (wish.isMember) await this.#join(wish.applicant);
        else await this.call((leader) => leader.leave("operator", name));
        this.#unsure.delete(name);
        this.#isMember.set(name, wish.isMember);
      } catch (error) {
        // The archive forgot the token, or another admission used it.
        if (isHansaError(error) && error.code === "HSA3003") this.#tokens.delete(name);
        await this.#pause();
      }
    }
  }

  /** A token from whoever runs the hub, then the cluster's own request. */
  async #join(applicant: Applicant): Promise<void> {
    const { name } = applicant;
    const secret = this.#tokens.get(name) ?? (await this.#newToken(name));
    this.#tokens.set(name, secret);
    await this.call((leader) => leader.join(joinBodyOf(this.#options.genesis, applicant, secret)));
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#options.kernel.schedule(RETRY_MS, resolve));
  }

  #newToken(cluster: string): Promise<string> {
    this.#secrets += 1;
    const secret = `secret ${this.#secrets}`;
    return this.call(async (leader, hub) => {
      await hub.archive.command(leader.mayWrite(), (tx) => {
        const times = { createdMs: tx.nowMs, expiresMs: tx.nowMs + TOKEN_TTL_MS };
        return tx.addJoinToken({ id: secret, cluster, granted: GRANT, createdBy: "sim", ...times }, secret);
      });
      return secret;
    });
  }
}
