/**
 * Delta ADS over gRPC: sockets, streams and what an operator sees of them. All rules of the protocol are the pure
 * stream's in @hansa/xds; this file never looks into a resource.
 */
import type { ServerOptions } from "node:http2";
import type { Clock, Log, Metrics, Timers } from "@hansa/core";
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
import { createHttp2Server, type Listen, listen } from "./listen.ts";
import { HEADER_LIST_BYTES_MAX, Transport } from "./transport.ts";

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

export interface AdsOptions {
  readonly listen: Listen;
  /** In order of precedence: the owner's own layer first, then shared ones. */
  readonly layers: readonly ResourceLayer[];
  /** The node id that may use this server; undefined = any (conformance and tests). */
  readonly owner?: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly limits?: Partial<StreamLimits>;
  readonly onAck?: (acked: Acked) => void;
  readonly onNack?: (refused: Refused) => void;
  /** A stream has ended: what it had not acknowledged holds nobody back any more. */
  readonly onEnd?: () => void;
}

export interface AdsStatus {
  /** Open streams. */
  readonly streams: number;
  /** Of the newest stream. */
  readonly types: readonly TypeStatus[];
}

export interface AdsServer {
  /** What a client dials: the socket's path, or host:port. */
  readonly address: string;
  /** Lowest revision that every open stream has acknowledged; undefined where no stream is open. */
  ackedRevision(): number | undefined;
  status(): AdsStatus;
  /** Ends the streams with UNAVAILABLE, so that clients connect elsewhere, and frees the address. */
  close(): Promise<void>;
}

const METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
/** One proxy needs one stream; while it reconnects the old one may linger. */
const STREAMS_PER_OWNER_MAX = 8;
const STREAMS_MAX = 10_000;
/** One session carries one stream; the rest is room to be told that there are too many streams. */
const SESSIONS_PER_OWNER_MAX = 32;
const SESSIONS_MAX = 12_000;

const HTTP2: ServerOptions = {
  settings: {
    enablePush: false,
    initialWindowSize: 1 << 20,
    maxConcurrentStreams: 100,
    maxHeaderListSize: HEADER_LIST_BYTES_MAX,
  },
  maxHeaderListPairs: 64,
  maxOutstandingPings: 2,
  maxSessionInvalidFrames: 100,
  maxSessionRejectedStreams: 100,
  /** MB of frames and streams in flight on one session. */
  maxSessionMemory: 16,
  /** RST_STREAM by the peer: so many at once, then so many a second (CVE-2023-44487). */
  streamResetBurst: 100,
  streamResetRate: 10,
};

/** Listens when the promise resolves. Throws HansaError where that is impossible. */
export async function serveAds(options: AdsOptions): Promise<AdsServer> {
  const { clock, timers, log, owner } = options;
  const server = createHttp2Server(options.listen, HTTP2);
  server.maxConnections = owner === undefined ? SESSIONS_MAX : SESSIONS_PER_OWNER_MAX;
  const address = await listen(server, options.listen);
  const connections = new Connections(options);
  const onCall = (call: Call) => connections.accept(call);
  const transport = new Transport(server, { method: METHOD, clock, timers, log, onCall });
  let closing: Promise<void> | undefined;
  return {
    address,
    ackedRevision: () => connections.ackedRevision(),
    status: () => connections.status(),
    close: () => {
      if (closing === undefined) {
        closing = transport.close();
        connections.close();
      }
      return closing;
    },
  };
}

const LABELS = new Map<string, { readonly type: string }>(
  PUSH_ORDER.map((typeUrl) => [typeUrl, { type: shortType(typeUrl) }]),
);
const OTHER = { type: "other" };
/** A client may name any type; series are of those that are served. */
const labelsOf = (typeUrl: string) => LABELS.get(typeUrl) ?? OTHER;

class Connections {
  private readonly options: AdsOptions;
  private readonly open = new Set<Connection>();
  private readonly memory = new ProxyMemory();

  constructor(options: AdsOptions) {
    this.options = options;
  }

  accept(call: Call): void {
    const { layers, owner, limits, clock, timers, log } = this.options;
    const streamsMax = owner === undefined ? STREAMS_MAX : STREAMS_PER_OWNER_MAX;
    if (this.open.size >= streamsMax) {
      const message = `HSA1006 streams: ${streamsMax} are open already; close one`;
      call.end({ code: STATUS.RESOURCE_EXHAUSTED, message });
      return;
    }
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
        this.open.delete(connection);
        this.options.onEnd?.();
      },
    });
    this.open.add(connection);
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
