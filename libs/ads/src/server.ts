/**
 * Delta ADS over gRPC: sockets, streams and what an operator sees of them. All rules of the protocol are the pure
 * stream's in @hansa/xds; this file never looks into a resource.
 */
import type { ServerOptions } from "node:http2";
import type { Call } from "./grpc/call.ts";
import { createHttp2Server, type Listen, listen } from "./listen.ts";
import { type AdsStatus, Streams, type StreamsOptions } from "./streams.ts";
import { HEADER_LIST_BYTES_MAX, Transport } from "./transport.ts";

export interface AdsOptions extends StreamsOptions {
  readonly listen: Listen;
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

export const METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
/** One session carries one stream; the rest is room to be told that there are too many streams. */
const SESSIONS_PER_OWNER_MAX = 32;
export const SESSIONS_MAX = 12_000;

export const HTTP2: ServerOptions = {
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
  const streams = new Streams(options);
  const onCall = (call: Call) => streams.accept(call);
  const transport = new Transport(server, { method: METHOD, clock, timers, log, onCall });
  let closing: Promise<void> | undefined;
  return {
    address,
    ackedRevision: () => streams.ackedRevision(),
    status: () => streams.status(),
    close: () => {
      if (closing === undefined) {
        closing = transport.close();
        streams.close();
      }
      return closing;
    },
  };
}
