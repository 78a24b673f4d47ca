/**
 * The open streams of one ADS server, or of one proxy behind a door that many share: who may open one more, what they
 * have acknowledged, what is counted and logged of them.
 */
import type { Clock, Log, Metrics, TimerHandle, Timers } from "@hansa/core";
import {
  type Nack,
  type Outcome,
  ProxyMemory,
  PUSH_ORDER,
  type ResourceLayer,
  type StreamLimits,
  shortType,
  type TypeStatus,
} from "@hansa/xds";
import { Connection } from "./connection.ts";
import type { Call } from "./grpc/call.ts";
import { STATUS } from "./grpc/status.ts";

export interface Acked {
  readonly typeUrl: string;
  /** All changes of this type up to this revision of the layers are acknowledged on the stream. */
  readonly revision: number;
  /** The same over all types that the stream asked for. */
  readonly streamRevision: number;
}

export interface Refused {
  readonly typeUrl: string;
  readonly nack: Nack;
  /** Resources found at fault: they keep their last good version. Empty while that is being found out. */
  readonly blamed: readonly string[];
}

export interface StreamsOptions {
  /** In order of precedence: the owner's own layer first, then shared ones. */
  readonly layers: readonly ResourceLayer[];
  /** The node id that may speak here; undefined = any (conformance and tests). */
  readonly owner?: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly limits?: Partial<StreamLimits>;
  readonly onAck?: (acked: Acked) => void;
  readonly onNack?: (refused: Refused) => void;
  /** A stream ends after so long and its client comes again, with credentials of that time; absent = it may stay. */
  readonly streamAgeMsMax?: number;
  /** A stream has ended: what it had not acknowledged holds nobody back any more. */
  readonly onEnd?: () => void;
}

export interface AdsStatus {
  /** Open streams. */
  readonly streams: number;
  /** Of the newest stream. */
  readonly types: readonly TypeStatus[];
}

/** One proxy needs one stream; while it reconnects the old one may linger. */
const STREAMS_PER_OWNER_MAX = 8;
export const STREAMS_MAX = 10_000;

const LABELS = new Map<string, { readonly type: string }>(
  PUSH_ORDER.map((typeUrl) => [typeUrl, { type: shortType(typeUrl) }]),
);
const OTHER = { type: "other" };
/** A client may name any type; series are of those that are served. */
const labelsOf = (typeUrl: string) => LABELS.get(typeUrl) ?? OTHER;

export class Streams {
  private readonly options: StreamsOptions;
  private readonly open = new Set<Connection>();
  private readonly memory = new ProxyMemory();

  constructor(options: StreamsOptions) {
    this.options = options;
  }

  accept(call: Call): void {
    const { layers, owner, limits, clock, timers, log, streamAgeMsMax } = this.options;
    const streamsMax = owner === undefined ? STREAMS_MAX : STREAMS_PER_OWNER_MAX;
    if (this.open.size >= streamsMax) {
      const message = `HSA1006 streams: ${streamsMax} are open already; close one`;
      call.end({ code: STATUS.RESOURCE_EXHAUSTED, message });
      return;
    }
    let age: TimerHandle | undefined;
    const connection: Connection = new Connection(call, {
      stream: {
        layers,
        // Only an owned server knows that its streams are of one proxy.
        ...(owner === undefined ? {} : { owner, memory: this.memory }),
        ...(limits === undefined ? {} : { limits }),
      },
      clock,
      timers,
      log: owner === undefined ? log : log.with({ proxy: owner }),
      onOutcome: (outcome) => this.onOutcome(outcome),
      onEnd: () => {
        age?.cancel();
        this.open.delete(connection);
        this.options.onEnd?.();
      },
    });
    this.open.add(connection);
    if (streamAgeMsMax !== undefined) age = timers.after(streamAgeMsMax, () => connection.close());
  }

  ackedRevision(): number | undefined {
    let lowest: number | undefined;
    for (const { stream } of this.open)
      for (const { acked } of stream.status()) lowest = Math.min(lowest ?? acked, acked);
    return lowest;
  }

  status(): AdsStatus {
    const newest = [...this.open].at(-1);
    return { streams: this.open.size, types: newest?.stream.status() ?? [] };
  }

  close(): void {
    for (const connection of [...this.open]) connection.close();
  }

  private onOutcome(outcome: Outcome): void {
    const { metrics, log, owner } = this.options;
    if (outcome.kind === "ack") {
      metrics.count("hansa_xds_acks_total", labelsOf(outcome.typeUrl));
      this.options.onAck?.(outcome);
    } else if (outcome.kind === "nack") {
      const { typeUrl, nack, blamed } = outcome;
      const type = shortType(typeUrl);
      metrics.count("hansa_xds_nacks_total", { proxy: owner ?? "", ...labelsOf(typeUrl) });
      const names = nack.names.slice(0, 10).join(" ");
      log.warn("ads: a proxy refused a configuration; it keeps the last good one", {
        code: "HSA5001",
        proxy: owner,
        type,
        names,
        reason: nack.message,
      });
      this.options.onNack?.({ typeUrl, nack, blamed });
    } else if (outcome.kind === "refused" && outcome.code === "HSA5003")
      metrics.count("hansa_xds_refused_total");
  }
}
