/**
 * Delta ADS over gRPC: sockets, streams and what an operator sees of them. All rules of the protocol are the pure
 * stream's in @hansa/xds; this file never looks into a resource.
 */
import { Server, type ServiceDefinition, status as Status, type UntypedHandleCall } from "@grpc/grpc-js";
import type { Clock, Log, Metrics, Timers } from "@hansa/core";
import {
  type Nack,
  type Outcome,
  ProxyMemory,
  type ResourceLayer,
  type StreamLimits,
  shortType,
  type TypeStatus,
} from "@hansa/xds";
import { type Call, Connection } from "./connection.ts";
import { type Listen, listen } from "./listen.ts";

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

/** One proxy needs one stream; while it reconnects the old one may linger. */
const STREAMS_PER_OWNER_MAX = 8;
const STREAMS_MAX = 10_000;
/** 100 000 names of 80 bytes. */
const REQUEST_BYTES_MAX = 8 << 20;
const CLOSE_GRACE_MS = 1000;
/** A peer that vanished without FIN is noticed by HTTP/2 PING. */
const KEEPALIVE_TIME_MS = 30_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;

const identity = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export const DELTA_ADS: ServiceDefinition = {
  deltaAggregatedResources: {
    path: "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
    requestStream: true,
    responseStream: true,
    requestSerialize: identity,
    requestDeserialize: (bytes: Buffer) => bytes,
    responseSerialize: identity,
    responseDeserialize: (bytes: Buffer) => bytes,
  },
};

/** Listens when the promise resolves. Throws HansaError where that is impossible. */
export async function serveAds(options: AdsOptions): Promise<AdsServer> {
  const server = new Server({
    "grpc.max_receive_message_length": REQUEST_BYTES_MAX,
    "grpc.enable_channelz": 0,
    "grpc.keepalive_time_ms": KEEPALIVE_TIME_MS,
    "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
  });
  const connections = new Connections(options);
  const handle: UntypedHandleCall = (call: Call) => connections.accept(call);
  server.addService(DELTA_ADS, { deltaAggregatedResources: handle });
  const address = await listen(server, options.listen);
  let closing: Promise<void> | undefined;
  return {
    address,
    ackedRevision: () => connections.ackedRevision(),
    status: () => connections.status(),
    close: () => {
      closing ??= shutDown(server, connections, options);
      return closing;
    },
  };
}

/** The address is free when this returns, before the promise resolves: libuv unlinks a socket as it closes it. */
async function shutDown(server: Server, connections: Connections, options: AdsOptions): Promise<void> {
  const done = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  connections.close();
  const timer = options.timers.after(CLOSE_GRACE_MS, () => server.forceShutdown());
  await done;
  timer.cancel();
}

class Connections {
  private readonly options: AdsOptions;
  private readonly open = new Set<Connection>();
  private readonly memory = new ProxyMemory();
  private accepted = 0;

  constructor(options: AdsOptions) {
    this.options = options;
  }

  accept(call: Call): void {
    const { layers, owner, limits, clock, timers, log } = this.options;
    const streamsMax = owner === undefined ? STREAMS_MAX : STREAMS_PER_OWNER_MAX;
    if (this.open.size >= streamsMax) {
      const details = `HSA1006 streams: ${streamsMax} are open already; close one`;
      call.emit("error", { code: Status.RESOURCE_EXHAUSTED, details });
      return;
    }
    this.accepted += 1;
    const connection: Connection = new Connection(call, {
      stream: {
        layers,
        // Only an owned server knows that its streams are of one proxy.
        ...(owner === undefined ? {} : { owner, memory: this.memory }),
        ...(limits === undefined ? {} : { limits }),
        noncePrefix: `${this.accepted.toString(36)}-`,
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
      metrics.count("hansa_xds_acks_total", { type: shortType(outcome.typeUrl) });
      this.options.onAck?.(outcome);
    } else if (outcome.kind === "nack") {
      const { typeUrl, nack, blamed } = outcome;
      const type = shortType(typeUrl);
      metrics.count("hansa_xds_nacks_total", { proxy: owner ?? "", type });
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
