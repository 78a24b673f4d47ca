/**
 * Joins one gRPC call and one DeltaStream. Bytes in and bytes out: messages are never objects here. A call that does
 * not take more is left alone until it drains; what changes meanwhile is a mark in the stream, not a buffer.
 */
import type { Clock, Log, TimerHandle, Timers } from "@hansa/core";
import { DeltaStream, decodeDeltaRequest, type Outcome, type StreamOptions } from "@hansa/xds";
import type { Call, CallListener } from "./grpc/call.ts";
import { STATUS, type Status } from "./grpc/status.ts";

export interface ConnectionOptions {
  readonly stream: Omit<StreamOptions, "nowMs" | "onWork">;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly onOutcome: (outcome: Outcome) => void;
  readonly onEnd: () => void;
}

/** 100 000 names of 80 bytes. */
export const REQUEST_BYTES_MAX = 8 << 20;

export class Connection implements CallListener {
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
    call.listen(this, REQUEST_BYTES_MAX);
  }

  /** Ends the call from the server's side; the client connects again and brings its versions. */
  close(): void {
    this.onBroken({ code: STATUS.UNAVAILABLE, message: "the server is closing" });
  }

  onMessage(bytes: Uint8Array): void {
    const decoded = decodeDeltaRequest(bytes);
    if (decoded.kind === "malformed") {
      this.fail("INVALID_ARGUMENT", `HSA1004 DeltaDiscoveryRequest: ${decoded.message}`);
    } else if (decoded.kind === "too-large") {
      this.fail("RESOURCE_EXHAUSTED", `HSA1006 DeltaDiscoveryRequest: ${decoded.message}`);
    } else {
      const outcome = this.stream.onRequest(decoded.request);
      if (outcome.kind === "refused") this.fail(outcome.status, `${outcome.code} ${outcome.message}`);
      else this.pump();
      // After the pump, which lets go of what was changed back meanwhile: no answer will ever come for that.
      this.options.onOutcome(outcome);
    }
  }

  onDrain(): void {
    this.blocked = false;
    this.pump();
  }

  onHalfClose(): void {
    this.end();
    this.call.end({ code: STATUS.OK, message: "" });
  }

  onBroken(status: Status): void {
    if (this.ended) return;
    this.options.log.warn("ads: stream ended", { details: status.message });
    this.end();
    this.call.end(status);
  }

  onGone(): void {
    this.end();
  }

  private pump(): void {
    while (!this.blocked && !this.ended) {
      const frame = this.stream.pump();
      if (frame === undefined) break;
      this.blocked = !this.call.write(frame);
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

  private fail(code: keyof typeof STATUS, message: string): void {
    this.onBroken({ code: STATUS[code], message });
  }

  private end(): void {
    if (this.ended) return;
    this.ended = true;
    this.stream.close();
    this.schedule();
    this.options.onEnd();
  }
}
