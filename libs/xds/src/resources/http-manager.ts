/** The HTTP connection manager in its three places: outbound, inbound, probe. Ages and hygiene are the same rules. */
import type { TrustDomain } from "@hansa/core";
import {
  HttpConnectionManager_ForwardClientCertDetails as ClientCert,
  HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes,
  type FilterSchema,
  HttpConnectionManagerSchema,
  type HttpFilterSchema,
  type LocalReplyConfigSchema,
  type RouteConfigurationSchema,
  RouterSchema,
  CoreHttpProtocolOptions_HeadersWithUnderscoresAction as Underscores,
} from "../../gen/index.ts";
import { httpLog } from "./access-log.ts";
import { SERVER_CONNECTION_MS, STREAM_MS, STREAMS_MAX } from "./limits.ts";
import { inboundReplies, outboundReplies, probeReplies } from "./local-reply.ts";
import { ADS, duration, extension, type Init } from "./message.ts";
import { OUTBOUND_ROUTES } from "./names.ts";

type Manager = Init<typeof HttpConnectionManagerSchema>;
type HttpFilter = Init<typeof HttpFilterSchema>;
type Filter = Init<typeof FilterSchema>;

const router = (): HttpFilter =>
  extension("envoy.filters.http.router", RouterSchema, { suppressEnvoyHeaders: true });

const manager = (init: Manager): Filter =>
  extension("envoy.filters.network.http_connection_manager", HttpConnectionManagerSchema, init);

const common = (kind: string): Manager => ({
  statPrefix: kind,
  http2ProtocolOptions: { allowConnect: true, maxConcurrentStreams: STREAMS_MAX },
  upgradeConfigs: [{ upgradeType: "websocket" }],
  normalizePath: true,
  mergeSlashes: true,
  pathWithEscapedSlashesAction: EscapedSlashes.KEEP_UNCHANGED,
  accessLog: [httpLog(kind)],
});

/** No address counts as internal, so x-envoy-* headers of a caller steer nothing here. */
const fromOutside: Manager = {
  useRemoteAddress: true,
  skipXffAppend: true,
  internalAddressConfig: { unixSockets: false, cidrRanges: [] },
};

/**
 * From the own application, in plain text: routes by authority, or those given where the address says it all. A forged
 * XFCC is dropped (SANITIZE).
 */
export const outboundManager = (routes?: Init<typeof RouteConfigurationSchema>): Filter =>
  manager({
    ...common("outbound"),
    routeSpecifier:
      routes === undefined
        ? { case: "rds", value: { routeConfigName: OUTBOUND_ROUTES, configSource: ADS } }
        : { case: "routeConfig", value: routes },
    httpFilters: [router()],
    forwardClientCertDetails: ClientCert.SANITIZE,
    localReplyConfig: outboundReplies(),
  });

/** From pods without a proxy: one service port, whatever the authority. */
export const entryManager = (routes: Init<typeof RouteConfigurationSchema>): Filter =>
  manager({
    ...common("entry"),
    routeSpecifier: { case: "routeConfig", value: routes },
    httpFilters: [router()],
    forwardClientCertDetails: ClientCert.SANITIZE,
    localReplyConfig: outboundReplies(),
  });

/** Of one's own cluster, without an identity: what the application could take for one is dropped (SANITIZE). */
export const neighbourManager = (routes: Init<typeof RouteConfigurationSchema>): Filter =>
  manager({
    ...common("neighbour"),
    routeSpecifier: { case: "routeConfig", value: routes },
    httpFilters: [router()],
    ...fromOutside,
    forwardClientCertDetails: ClientCert.SANITIZE,
  });

/** From a verified caller: the application learns him from XFCC alone, which replaces whatever the caller sent. */
const verified = (
  kind: string,
  access: HttpFilter,
  routes: Init<typeof RouteConfigurationSchema>,
  replies: Init<typeof LocalReplyConfigSchema>,
): Filter =>
  manager({
    ...common(kind),
    routeSpecifier: { case: "routeConfig", value: routes },
    httpFilters: [access, router()],
    ...fromOutside,
    forwardClientCertDetails: ClientCert.SANITIZE_SET,
    setCurrentClientCertDetails: { uri: true },
    commonHttpProtocolOptions: {
      maxConnectionDuration: duration(SERVER_CONNECTION_MS),
      maxStreamDuration: duration(STREAM_MS),
      headersWithUnderscoresAction: Underscores.REJECT_REQUEST,
    },
    localReplyConfig: replies,
  });

export const inboundManager = (
  access: HttpFilter,
  routes: Init<typeof RouteConfigurationSchema>,
  ownDomain: TrustDomain,
): Filter => verified("inbound", access, routes, inboundReplies(ownDomain));

export const inspectManager = (access: HttpFilter, routes: Init<typeof RouteConfigurationSchema>): Filter =>
  verified("inspect", access, routes, probeReplies());

export const probeManager = (access: HttpFilter, routes: Init<typeof RouteConfigurationSchema>): Filter =>
  verified("probe", access, routes, probeReplies());
