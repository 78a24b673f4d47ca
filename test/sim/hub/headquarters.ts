/**
 * The hub's side of a simulated federation: the archive, which survives, the hub processes on it, and those who call
 * them over HTTPS. Calls find whichever hub leads; a call may get lost on either way.
 */
import { base64, HansaError, isHansaError, type Signer } from "@hansa/core";
import {
  type CommandValue,
  encodeCommand,
  fingerprintOf,
  type Genesis,
  signCommand,
  toHeaders,
  type WireRecord,
} from "@hansa/events";
import type { Federation } from "@hansa/model";
import type { LateRecord } from "../../../services/agent/src/log/late-records.ts";
import { takeLate } from "../../../services/hub/src/leader/late-records.ts";
import type { Leader } from "../../../services/hub/src/leader/leader.ts";
import type { ArchiveFaults } from "../archive/link.ts";
import { ArchiveServer } from "../archive/memory-archive.ts";
import type { Tables } from "../archive/tables.ts";
import type { Kernel, Machine, Seeded } from "../kernel.ts";
import type { SimBroker } from "../sim-broker.ts";
import { simCrypto, simSigner } from "../sim-crypto.ts";
import { type Applicant, GRANT, joinBodyOf } from "./application.ts";
import { SimHub } from "./sim-hub.ts";

const CALL_TIMEOUT_MS = 15_000;
const RETRY_MS = 2000;
const LATE_MAX = 64;
const TOKEN_TTL_MS = 600_000;
const BACKUP_MS = 4000;
const BACKUPS_MAX = 6;
export const CALM_ARCHIVE: ArchiveFaults = { up: true, delayMaxMs: 2, loseAnswer: 0 };

export type Standing = "member" | "left" | "evicted";

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
  readonly #wishes = new Map<string, { readonly applicant: Applicant; readonly standing: Standing }>();
  /** As the hub has answered. */
  readonly #standings = new Map<string, Standing>();
  readonly #unsure = new Set<string>();
  readonly #tokens = new Map<string, string>();
  #hubs: SimHub[] = [];
  #backups: Tables[] = [];
  /** What the hub wrote, as its operators keep it elsewhere. */
  readonly #written: WireRecord[] = [];
  #secrets = 0;

  constructor(options: HeadquartersOptions) {
    const { kernel, broker, genesis } = options;
    this.#options = options;
    const { onStored } = broker;
    broker.onStored = (stored) => {
      onStored(stored);
      if (stored.account === genesis.hubAccount) this.#written.push(stored.record);
    };
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
    for (const { applicant } of [...this.#wishes.values()]) this.wish(applicant, "member");
    this.#attend();
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
    return wish !== undefined && !this.#unsure.has(name) && wish.standing === this.#standings.get(name);
  }

  isAdmitted(name: string): boolean {
    return this.#standings.has(name);
  }

  /** A cluster joins, leaves or is put out as soon as a hub takes it; it is asked until then. */
  wish(applicant: Applicant, standing: Standing): void {
    const { name } = applicant;
    const isAsking = this.#wishes.has(name) && !this.isSettled(name);
    this.#wishes.set(name, { applicant, standing });
    if (!isAsking) void this.#follow(name);
  }

  /**
   * Those who run the hub: a command that a member's log carried may come to light at any time, and a restored archive
   * may have forgotten who was let in, and what the hub itself wrote.
   */
  #attend(): void {
    const { leading } = this;
    if (leading?.leader?.readOnly) void this.#bringBack().catch(() => {});
    else if (leading?.leader?.recovered && leading.fed !== null)
      for (const name of this.#wishes.keys())
        if (this.isSettled(name) && leading.fed.member(name)?.state !== "active") {
          this.#unsure.add(name);
          void this.#follow(name);
        }
    this.#options.kernel.schedule(RETRY_MS, () => this.#attend());
  }

  async #bringBack(): Promise<void> {
    for (let from = 0; from < this.#written.length; from += LATE_MAX) {
      const part = this.#written.slice(from, from + LATE_MAX);
      const records = part.map(({ header, body }) => ({ headers: toHeaders(header), body: base64(body) }));
      await this.call((leader, hub) => takeLate(hub.context, leader, null, records));
    }
  }

  async #follow(name: string): Promise<void> {
    for (;;) {
      const wish = this.#wishes.get(name);
      if (wish === undefined || this.isSettled(name)) return;
      try {
        // What the hub did without answering may be the opposite of what is wished by then.
        this.#unsure.add(name);
        if (wish.standing === "member") await this.#join(wish.applicant);
        else if (wish.standing === "left") await this.call((leader) => leader.leave("operator", name));
        else await this.#order(name, "evict");
        this.#unsure.delete(name);
        this.#standings.set(name, wish.standing);
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
    // Who was put out asks with a token of its own.
    if (await this.#order(name, "admit")) this.#tokens.delete(name);
    const secret = this.#tokens.get(name) ?? (await this.#newToken(name));
    this.#tokens.set(name, secret);
    await this.call((leader) => leader.join(joinBodyOf(this.#options.genesis, applicant, secret)));
  }

  /** Operators put a member out, or let who was put out ask again. Nothing where the logs say so already. */
  #order(cluster: string, order: "evict" | "admit"): Promise<boolean> {
    return this.call(async (leader) => {
      const command = this.commandOf(await leader.ready(), cluster, order);
      if (command !== undefined) await leader.command("operator", command.value);
      return command !== undefined;
    });
  }

  /** Signed by the operators, for whoever carries it. */
  commandOf(
    fed: Federation,
    cluster: string,
    order: "evict" | "admit",
  ): { readonly id: string; readonly value: CommandValue } | undefined {
    const member = fed.member(cluster);
    if (member === undefined || (member.state === "evicted") === (order === "evict")) return undefined;
    const incarnation = member.membership.incarnation + (order === "admit" ? 1 : 0);
    this.#secrets += 1;
    const id = `order-${this.#secrets}`;
    const fingerprint = fingerprintOf(this.#options.genesis, simCrypto);
    const payload = encodeCommand({ fingerprint, id, atMs: 1, order: { do: order, cluster, incarnation } });
    return { id, value: { payload, signatures: [signCommand(payload, simSigner("operator"), simCrypto)] } };
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
