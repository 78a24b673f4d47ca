/**
 * The TCP filter in its three places. Retries of a plain connection need a pause, or all attempts are spent in the
 * dead priority before its ejection arrives (envoy-dataplane §4.2: 0 of 100 lost with, 100 without).
 */
import {
  anyPack,
  BackoffStrategySchema,
  create,
  type FilterSchema,
  PercentSchema,
  type TcpProxy,
  TcpProxySchema,
  toBinary,
} from "../../gen/index.ts";
import { tcpLog, unknownSniLog } from "./access-log.ts";
import {
  EARLY_BYTES_MAX,
  TCP_BACKOFF_BASE_MS,
  TCP_BACKOFF_MAX_MS,
  TCP_CONNECT_ATTEMPTS,
  TCP_CONNECTION_MS,
  TCP_JITTER_PERCENT,
} from "./limits.ts";
import { duration, encoded, type Init, newerField, type UnknownField, uint32Value } from "./message.ts";
import { BLACK_HOLE, ORIGINAL_DESTINATION } from "./names.ts";

type Filter = Init<typeof FilterSchema>;

// Envoy 1.40's tcp_proxy.proto; the package that our code is generated from stops before them.
const BACKOFF_OPTIONS = 18;
const DURATION_JITTER = 20;
const UPSTREAM_CONNECT_MODE = 21;
const MAX_EARLY_DATA_BYTES = 22;

/** ON_DOWNSTREAM_TLS_HANDSHAKE; Envoy demands a bound for what the caller sends meanwhile. */
const afterHandshake = (): UnknownField[] => [
  { no: UPSTREAM_CONNECT_MODE, wireType: 0, data: Uint8Array.of(2) },
  newerField(MAX_EARLY_DATA_BYTES, uint32Value(EARLY_BYTES_MAX)),
];

const filter = (proxy: TcpProxy): Filter => ({
  name: "envoy.filters.network.tcp_proxy",
  configType: { case: "typedConfig", value: anyPack(TcpProxySchema, proxy) },
});

const backoff = (): UnknownField =>
  newerField(
    BACKOFF_OPTIONS,
    encoded(BackoffStrategySchema, {
      baseInterval: duration(TCP_BACKOFF_BASE_MS),
      maxInterval: duration(TCP_BACKOFF_MAX_MS),
    }),
  );

function connecting(kind: string, cluster: string): TcpProxy {
  const proxy = create(TcpProxySchema, {
    statPrefix: kind,
    clusterSpecifier: { case: "cluster", value: cluster },
    maxConnectAttempts: TCP_CONNECT_ATTEMPTS,
    accessLog: [tcpLog(kind)],
  });
  proxy.$unknown = [backoff()];
  return proxy;
}

/** Client side and gateway: tries other endpoints; sets no age (a gateway's would cut requests, §7). */
export const connectingTcpProxy = (kind: string, cluster: string): Filter =>
  filter(connecting(kind, cluster));

/** Server side: the one application; the only place where a plain connection has an age. */
export function servingTcpProxy(cluster: string): Filter {
  const proxy = create(TcpProxySchema, {
    statPrefix: "inbound_tcp",
    clusterSpecifier: { case: "cluster", value: cluster },
    maxDownstreamConnectionDuration: duration(TCP_CONNECTION_MS),
    accessLog: [tcpLog("inbound_tcp")],
  });
  proxy.$unknown = [
    ...afterHandshake(),
    newerField(
      DURATION_JITTER,
      toBinary(PercentSchema, create(PercentSchema, { value: TCP_JITTER_PERCENT })),
    ),
  ];
  return filter(proxy);
}

/** Server side, for who speaks plain text and may. */
export const neighbourTcpProxy = (cluster: string): Filter =>
  filter(
    create(TcpProxySchema, {
      statPrefix: "neighbour",
      clusterSpecifier: { case: "cluster", value: cluster },
      accessLog: [tcpLog("neighbour")],
    }),
  );

/** To where the connection was meant for, as it is. One attempt: nobody knows another place. */
export const passingTcpProxy = (kind: string): Filter =>
  filter(
    create(TcpProxySchema, {
      statPrefix: kind,
      clusterSpecifier: { case: "cluster", value: ORIGINAL_DESTINATION },
    }),
  );

/** Counts (`tcp.<kind>.downstream_cx_total`), logs and resets. */
export const refusingTcpProxy = (kind: string): Filter =>
  filter(
    create(TcpProxySchema, {
      statPrefix: kind,
      clusterSpecifier: { case: "cluster", value: BLACK_HOLE },
      accessLog: [tcpLog(kind)],
    }),
  );

/** Counts (`tcp.unknown_sni.downstream_cx_total`), logs and resets what no chain serves, plaintext too. */
export const unknownSniProxy = (): Filter =>
  filter(
    create(TcpProxySchema, {
      statPrefix: "unknown_sni",
      clusterSpecifier: { case: "cluster", value: BLACK_HOLE },
      accessLog: [unknownSniLog()],
    }),
  );
