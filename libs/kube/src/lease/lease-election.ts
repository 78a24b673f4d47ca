/**
 * Election by a Lease among the agents of one cluster: the same port as the agent's file lock (`tryLock`, `release`), so that an agent
 * uses either. Election gives progress; the bus's fence gives safety (design §3). A holder that is cut off stops counting itself as elected
 * before anyone else can be.
 */
import type { TimerHandle } from "@hansa/core";
import type { Sender } from "../client/client.ts";
import { codeOf, type Problem } from "../client/problem.ts";
import type { KubePorts } from "../ports.ts";
import { LEASES } from "../resources.ts";
import { type Instant, LEASE_SETTINGS, type Lease, LeaseJudge, type LeaseSettings } from "./judge.ts";

export interface LeaseElectionOptions {
  readonly client: Sender;
  readonly ports: KubePorts;
  readonly namespace: string;
  /** Of the Lease. */
  readonly name: string;
  /** Who stands, for people: the pod's name. A random part makes each process its own candidate. */
  readonly candidate: string;
  /**
   * Default: a new one for each process. One that is kept lets a process that was restarted go on with its lease at once; give it only
   * where nothing else can stand under it, as under a lock on the folder that keeps it.
   */
  readonly identity?: string | undefined;
  readonly settings?: LeaseSettings;
}

interface LeaseObject {
  readonly metadata: { readonly resourceVersion: string };
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
}

export class LeaseElection {
  readonly #options: LeaseElectionOptions;
  readonly #settings: LeaseSettings;
  readonly #identity: string;
  readonly #judge: LeaseJudge;
  #timer: TimerHandle | undefined;
  #held: LeaseObject | undefined;
  #turning: Promise<void> | undefined;
  #isRunning = false;
  #wasElected = false;
  #isReleased = false;

  constructor(options: LeaseElectionOptions) {
    this.#options = options;
    this.#settings = options.settings ?? LEASE_SETTINGS;
    const suffix = options.identity ?? Buffer.from(options.ports.random.bytes(8)).toString("hex");
    this.#identity = `${options.candidate}_${suffix}`;
    this.#judge = new LeaseJudge(this.#identity, this.#settings);
  }

  /** True while this process is the elected one. The first call begins to stand. */
  tryLock(): boolean {
    if (!this.#isRunning && !this.#isReleased) {
      this.#isRunning = true;
      this.#begin();
    }
    return !this.#isReleased && this.#judge.holds(this.#now());
  }

  /** Stands no more and gives the lease back; others may take it at once. */
  release(): void {
    void this.stop();
  }

  /** As `release`; resolves when the lease was given back, or could not be. */
  async stop(): Promise<void> {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#timer?.cancel();
    // A renewal that is under way would make the giving back a conflict.
    await this.#turning;
    const held = this.#held;
    if (held === undefined || !this.#judge.holds(this.#now())) return;
    this.#judge.lost();
    const spec = { ...held.spec, holderIdentity: "", leaseDurationSeconds: 1 };
    await this.#send("PUT", { ...this.#body(spec), metadata: this.#metadata(held) });
  }

  #begin(): void {
    this.#turning = this.#turn();
  }

  async #turn(): Promise<void> {
    const problem = await (this.#held === undefined ? this.#look() : this.#write(this.#held));
    if (problem !== undefined && problem.kind !== "conflict" && !this.#isReleased)
      this.#options.ports.log.warn("kube: the election's lease cannot be read or written", {
        code: codeOf(problem),
        problem: problem.message,
      });
    this.#tellChange();
    if (this.#isReleased) return;
    const { random, timers } = this.#options.ports;
    // Candidates that wait do not all come at the same time.
    const shareOfStep = this.#held === undefined ? 0.75 + random.float() / 2 : 1;
    this.#timer = timers.after(this.#settings.everyMs * shareOfStep, () => this.#begin());
  }

  async #look(): Promise<Problem | undefined> {
    const { namespace, name, client } = this.#options;
    const timeoutMs = this.#settings.everyMs;
    const target = { resource: LEASES, namespace, name };
    const answer = await client.send({ method: "GET", target, timeoutMs });
    if (answer.ok) {
      const found = answer.body as LeaseObject;
      const may = this.#judge.mayTake(leaseOf(found), this.#options.ports.clock.monotonicMs());
      return may && !this.#isReleased ? await this.#write(found) : undefined;
    }
    if (answer.problem.kind !== "absent") return answer.problem;
    return this.#isReleased ? undefined : await this.#write(undefined);
  }

  /** Takes or renews the lease in the version that was read: who was quicker makes this a conflict. */
  async #write(found: LeaseObject | undefined): Promise<Problem | undefined> {
    const sent = this.#now();
    const now = microTime(sent.wallMs);
    this.#judge.writes(now);
    const isRenewal = found?.spec?.holderIdentity === this.#identity;
    const transitions = (found?.spec?.leaseTransitions ?? -1) + (isRenewal ? 0 : 1);
    const body = {
      ...this.#body({
        holderIdentity: this.#identity,
        leaseDurationSeconds: Math.ceil(this.#settings.durationMs / 1000),
        acquireTime: isRenewal ? found?.spec?.acquireTime : now,
        renewTime: now,
        leaseTransitions: transitions,
      }),
      metadata: this.#metadata(found),
    };
    const answer = await this.#send(found === undefined ? "POST" : "PUT", body);
    if (answer.ok) {
      this.#held = answer.body as LeaseObject;
      this.#judge.accepted(sent);
      return undefined;
    }
    // Unknown whether it was written where no answer came: the next turn reads.
    this.#held = undefined;
    if (answer.problem.kind === "conflict") this.#judge.lost();
    return answer.problem;
  }

  #send(method: "POST" | "PUT", body: unknown): ReturnType<Sender["send"]> {
    const { namespace, name, client } = this.#options;
    const target = { resource: LEASES, namespace, ...(method === "PUT" ? { name } : {}) };
    return client.send({ method, target, body, timeoutMs: this.#settings.everyMs });
  }

  #body(spec: unknown): object {
    return { apiVersion: "coordination.k8s.io/v1", kind: "Lease", spec };
  }

  #metadata(found: LeaseObject | undefined): object {
    const { namespace, name } = this.#options;
    return found === undefined ? { namespace, name } : found.metadata;
  }

  #now(): Instant {
    const { clock } = this.#options.ports;
    return { monotonicMs: clock.monotonicMs(), wallMs: clock.nowMs() };
  }

  #tellChange(): void {
    const isElected = this.#judge.holds(this.#now());
    if (isElected === this.#wasElected) return;
    this.#wasElected = isElected;
    const { log, metrics } = this.#options.ports;
    metrics.gauge("hansa_kube_elected", isElected ? 1 : 0);
    log.info(isElected ? "kube: elected" : "kube: no longer elected", { candidate: this.#identity });
  }
}

function leaseOf({ spec = {} }: LeaseObject): Lease {
  return {
    holder: spec.holderIdentity ?? "",
    renewTime: spec.renewTime ?? "",
    durationMs: (spec.leaseDurationSeconds ?? 0) * 1000,
  };
}

/** V1MicroTime: exactly six digits of a second. */
const microTime = (wallMs: number): string => new Date(wallMs).toISOString().replace("Z", "000Z");
