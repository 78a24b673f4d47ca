/**
 * Writes to one API server: rate-limited, newest per object, again after what passes. Writes only while the caller's `mayWrite` holds,
 * which is asked right before each request: elected, and every cache that the facts come from is synced.
 */
import type { TimerHandle } from "@hansa/core";
import { backoffMs } from "../backoff.ts";
import type { Answer, Sender } from "../client/client.ts";
import { codeOf, type Problem } from "../client/problem.ts";
import type { KubePorts } from "../ports.ts";
import { WRITE_BACKOFF, WRITE_LIMITS, type WriteLimits } from "./limits.ts";
import { TokenBucket } from "./token-bucket.ts";
import { isEverybodys, outcomeOf, requestOf, slotOf, type Write, type Written } from "./write.ts";
import { WriteQueue } from "./write-queue.ts";

export interface ApplierOptions {
  readonly client: Sender;
  readonly ports: KubePorts;
  readonly mayWrite: () => boolean;
  readonly limits?: WriteLimits;
}

interface Job {
  readonly write: Write;
  readonly tell: (written: Written) => void;
  failures: number;
}

export class Applier {
  readonly #options: ApplierOptions;
  readonly #limits: WriteLimits;
  readonly #queue: WriteQueue<Job>;
  readonly #bucket: TokenBucket;
  #timer: TimerHandle | undefined;
  /** The API server is away or overloaded: nothing goes before this time. */
  #pausedUntilMs = 0;
  #pauses = 0;
  #isStopped = false;

  constructor(options: ApplierOptions) {
    this.#options = options;
    this.#limits = options.limits ?? WRITE_LIMITS;
    this.#queue = new WriteQueue(this.#limits.waitingMax);
    this.#bucket = new TokenBucket(
      this.#limits.writesPerSecondMax,
      this.#limits.burstMax,
      options.ports.clock.monotonicMs(),
    );
  }

  /** Objects whose write waits. */
  get waitingCount(): number {
    return this.#queue.waitingCount;
  }

  /** Resolves with what came of it, and never rejects; while the API server is away it does not resolve. */
  write(write: Write): Promise<Written> {
    if (this.#isStopped) return Promise.resolve({ outcome: "not-writer" });
    return new Promise((tell) => {
      const put = this.#queue.put(slotOf(write), { write, tell, failures: 0 });
      if (put === "full") {
        tell({ outcome: "full" });
        return;
      }
      put.replaced?.tell({ outcome: "superseded" });
      this.#pump();
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    for (const { tell } of this.#queue.drain()) tell({ outcome: "not-writer" });
  }

  #pump(): void {
    const { clock } = this.#options.ports;
    while (!this.#isStopped && this.#queue.waitingCount > 0) {
      if (!this.#options.mayWrite()) {
        for (const { tell } of this.#queue.drain()) tell({ outcome: "not-writer" });
        return;
      }
      const waitMs = this.#sendNext(clock.monotonicMs());
      if (waitMs === 0) continue;
      if (waitMs !== undefined) this.#wake(waitMs);
      return;
    }
  }

  /** 0 = one was sent; else how long to wait, or undefined where an answer that is under way comes first. */
  #sendNext(nowMs: number): number | undefined {
    if (nowMs < this.#pausedUntilMs) return this.#pausedUntilMs - nowMs;
    if (this.#queue.sentCount >= this.#limits.atOnceMax) return undefined;
    const tokenMs = this.#bucket.waitMs(nowMs);
    if (tokenMs > 0) return tokenMs;
    const next = this.#queue.next(nowMs);
    if (next === undefined) {
      const wakeMs = this.#queue.wakeMs();
      return wakeMs === undefined ? undefined : Math.max(1, wakeMs - nowMs);
    }
    this.#bucket.take();
    void this.#send(next.slot, next.item);
    return 0;
  }

  #wake(afterMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#options.ports.timers.after(afterMs, () => this.#pump());
  }

  async #send(slot: string, job: Job): Promise<void> {
    const answer = await this.#options.client.send(requestOf(job.write));
    if (answer.ok) this.#end(slot, job, writtenOf(job.write, answer));
    else {
      const written = outcomeOf(job.write, answer.problem, job.failures + 1);
      if (written === undefined) this.#again(slot, job, answer.problem);
      else this.#end(slot, job, written);
    }
    this.#pump();
  }

  #end(slot: string, job: Job, written: Written): void {
    this.#pauses = 0;
    this.#queue.done(slot);
    this.#options.ports.metrics.count("hansa_kube_writes_total", { outcome: written.outcome });
    if ("problem" in written)
      this.#options.ports.log.warn("kube: a write was refused", {
        code: codeOf(written.problem),
        object: slot,
        problem: written.problem.message,
      });
    job.tell(written);
  }

  #again(slot: string, job: Job, problem: Problem): void {
    const { clock, random, metrics } = this.#options.ports;
    metrics.count("hansa_kube_write_retries_total", { kind: problem.kind });
    job.failures += 1;
    const nowMs = clock.monotonicMs();
    const isShared = isEverybodys(problem);
    if (isShared && nowMs >= this.#pausedUntilMs) this.#pauses += 1;
    const restMs = Math.max(
      problem.retryAfterMs ?? 0,
      backoffMs(WRITE_BACKOFF, isShared ? this.#pauses : job.failures, random),
    );
    if (isShared) this.#pausedUntilMs = Math.max(this.#pausedUntilMs, nowMs + restMs);
    const isNewest = this.#queue.failed(slot, job, isShared ? 0 : nowMs + restMs);
    if (this.#isStopped) job.tell({ outcome: "not-writer" });
    else if (!isNewest) job.tell({ outcome: "superseded" });
  }
}

function writtenOf(write: Write, { body }: Extract<Answer, { readonly ok: true }>): Written {
  if (write.kind === "delete") return { outcome: "deleted" };
  const { uid = "", resourceVersion = "" } =
    (body as { metadata?: { uid?: string; resourceVersion?: string } } | null)?.metadata ?? {};
  return { outcome: "applied", uid, version: resourceVersion };
}
