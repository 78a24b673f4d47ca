/**
 * Records that left the stream before the hub had committed them go to the hub over HTTPS, verbatim (design §3 Bus).
 * Looks rarely and only while the hub is alive and its commits stand still; the bus is the way for everything else.
 */
import { base64 } from "@hansa/core";
import { LANES, type Lane, type LogBus, type Position, toHeaders, type WireRecord } from "@hansa/events";
import type { Ports } from "../ports.ts";
import type { Outbox } from "./outbox.ts";

const LOOK_MS = 5000;
/** Commits take milliseconds: an oldest record that stays this long is not on its way. */
const STUCK_MS = 10_000;
const RECORDS_MAX = 64;
const BYTES_MAX = 4 * 1024 * 1024;

export interface LateRecord {
  readonly headers: Readonly<Record<string, string>>;
  /** base64. */
  readonly body: string;
}

export interface LateRecordsOptions {
  readonly bus: LogBus;
  readonly outbox: Outbox;
  readonly ports: Pick<Ports, "clock" | "timers" | "log">;
  readonly hubIsAlive: () => boolean;
  /** Resolves when the hub has archived them all; throws a coded error otherwise. */
  readonly send: (records: readonly LateRecord[]) => Promise<void>;
}

const isBefore = (a: Position, b: Position): boolean =>
  a.epoch < b.epoch || (a.epoch === b.epoch && a.seq < b.seq);

export class LateRecords {
  readonly #options: LateRecordsOptions;
  readonly #oldest = new Map<Lane, Position & { readonly sinceMs: number }>();
  #busy = false;
  #stop: () => void = () => {};

  constructor(options: LateRecordsOptions) {
    this.#options = options;
  }

  start(): void {
    const timer = this.#options.ports.timers.every(LOOK_MS, () => void this.look());
    this.#stop = () => timer.cancel();
  }

  stop(): void {
    this.#stop();
  }

  async look(): Promise<void> {
    if (this.#busy || !this.#options.hubIsAlive()) return;
    this.#busy = true;
    try {
      for (const lane of LANES) if (this.#isStuck(lane)) await this.#bring(lane);
    } catch (error) {
      this.#options.ports.log.warn("log: late records were not taken", { reason: String(error) });
    } finally {
      this.#busy = false;
    }
  }

  #isStuck(lane: Lane): boolean {
    const nowMs = this.#options.ports.clock.monotonicMs();
    const [oldest] = this.#options.outbox.oldest(lane, 1);
    if (oldest === undefined) {
      this.#oldest.delete(lane);
      return false;
    }
    const { epoch, seq } = oldest.header;
    const known = this.#oldest.get(lane);
    if (known?.epoch === epoch && known.seq === seq) return nowMs - known.sinceMs >= STUCK_MS;
    this.#oldest.set(lane, { epoch, seq, sinceMs: nowMs });
    return false;
  }

  async #bring(lane: Lane): Promise<void> {
    const { bus, outbox, ports, send } = this.#options;
    const [first] = await bus.read({ account: bus.account, lane }, 1, 1);
    for (;;) {
      const late = batch(outbox.oldest(lane, RECORDS_MAX), first?.record.header);
      const last = late.at(-1);
      if (last === undefined) return;
      await send(late.map(({ header, body }) => ({ headers: toHeaders(header), body: base64(body) })));
      outbox.drop(lane, last.header);
      ports.log.info("log: late records brought to the hub", {
        lane,
        records: late.length,
        upToSeq: last.header.seq,
      });
    }
  }
}

/** What is older than the stream's first record of this log, as far as one request may hold. */
function batch(oldest: readonly WireRecord[], first: Position | undefined): WireRecord[] {
  const late: WireRecord[] = [];
  let sizeBytes = 0;
  for (const record of oldest) {
    if (first !== undefined && !isBefore(record.header, first)) break;
    sizeBytes += record.body.length;
    if (late.length > 0 && sizeBytes > BYTES_MAX) break;
    late.push(record);
  }
  return late;
}
