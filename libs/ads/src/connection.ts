/**
 * Joins one gRPC call and one DeltaStream. Bytes in and bytes out: messages are never objects here. A call that does
 * not take more is left alone until it drains; what changes meanwhile is a mark in the stream, not a buffer.
 */
import { type ServerDuplexStream, status as Status } from "@grpc/grpc-js";
import type { Clock, Log, TimerHandle, Timers } from "@hansa/core";
import { DeltaStream, decodeDeltaRequest, type Outcome, type StreamOptions } from "@hansa/xds";

export type Call = ServerDuplexStream<Uint8Array, Uint8Array>;

export interface ConnectionOptions {
  readonly stream: Omit<StreamOptions, "nowMs" | "onWork">;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly onOutcome: (outcome: Outcome) => void;
  readonly onEnd: () => void;
}

export class Connection {
  readonly stream: DeltaStream;
  private readonly call: Call;
  private readonly options: ConnectionOptions;
  private blocked = false;
  private ended = false;
  private wakeAtMs: number | undefined;
  private wake: TimerHandle | undefined;

  constructor(call: Call, options: ConnectionOptions) {
    this.call = call;
    this.options = options;
    const nowMs = () => options.clock.monotonicMs();
    this.stream = new DeltaStream({ ...options.stream, nowMs, onWork: () => this.pump() });
    call.on("data", (bytes: Uint8Array) => this.onMessage(bytes));
    call.on("drain", () => {
      this.blocked = false;
      this.pump();
    });
    call.on("end", () => {
      this.end();
      call.end();
    });
    call.on("cancelled", () => this.end());
    call.on("error", () => this.end());
  }

  /** Ends the call from the server's side; the client connects again and brings its versions. */
  close(): void {
    if (this.ended) return;
    this.fail(Status.UNAVAILABLE, "the server is closing");
  }

  private onMessage(bytes: Uint8Array): void {
    if (this.ended) return;
    const decoded = decodeDeltaRequest(bytes);
    if (decoded.kind === "malformed") {
      this.fail(Status.INVALID_ARGUMENT, `HSA1004 DeltaDiscoveryRequest: ${decoded.message}`);
    } else if (decoded.kind === "too-large") {
      this.fail(Status.RESOURCE_EXHAUSTED, `HSA1006 DeltaDiscoveryRequest: ${decoded.message}`);
    } else {
      const outcome = this.stream.onRequest(decoded.request);
      if (outcome.kind === "refused") this.fail(Status[outcome.status], `${outcome.code} ${outcome.message}`);
      else this.pump();
      // After the pump, which lets go of what was changed back meanwhile: no answer will ever come for that.
      this.options.onOutcome(outcome);
    }
  }

  private pump(): void {
    while (!this.blocked && !this.ended) {
      const bytes = this.stream.pump();
      if (bytes === undefined) break;
      this.blocked = !this.call.write(bytes);
    }
    this.schedule();
  }

  private schedule(): void {
    const at = this.ended ? undefined : this.stream.wakeAtMs();
    if (at === this.wakeAtMs) return;
    this.wake?.cancel();
    this.wakeAtMs = at;
    if (at === undefined) return;
    const delayMs = Math.max(0, at - this.options.clock.monotonicMs());
    this.wake = this.options.timers.after(Math.ceil(delayMs), () => {
      this.wakeAtMs = undefined;
      this.pump();
    });
  }

  private fail(code: number, details: string): void {
    this.options.log.warn("ads: stream ended", { details });
    this.end();
    this.call.emit("error", { code, details });
  }

  private end(): void {
    if (this.ended) return;
    this.ended = true;
    this.stream.close();
    this.schedule();
    this.options.onEnd();
  }
}
