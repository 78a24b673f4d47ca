/** The client's Envoy cluster of one service port: all localities of all exporters behind one SNI (design §5). */
import { assert, type TrustDomain } from "@hansa/core";
import type { ServicePortView } from "@hansa/model";
import {
  type CircuitBreakersSchema,
  type Cluster_CommonLbConfigSchema,
  Cluster_DiscoveryType,
  ClusterSchema,
} from "../../gen/index.ts";
import { isHttp, meshHttpOptions } from "./http-protocol.ts";
import { CONNECT_TIMEOUT_MS, CONNECTIONS_MAX, REQUESTS_MAX, RETRIES_MAX } from "./limits.ts";
import { ADS, byText, duration, encoded, type Init } from "./message.ts";
import { type AnswersThatCount, outlierDetection } from "./outlier.ts";
import { upstreamTls } from "./upstream-tls.ts";

/** The default of 3 retries in flight turns a failover into `UO` (envoy-dataplane §4.1). */
export const BREAKERS: Init<typeof CircuitBreakersSchema> = {
  thresholds: [
    {
      maxRetries: RETRIES_MAX,
      maxRequests: REQUESTS_MAX,
      maxPendingRequests: REQUESTS_MAX,
      maxConnections: CONNECTIONS_MAX,
    },
  ],
};

/** No panic: nothing healthy = fail fast. No merge window: the second ejection would wait up to 1 s (§4.1). */
export const FAILOVER_LB: Init<typeof Cluster_CommonLbConfigSchema> = {
  healthyPanicThreshold: { value: 0 },
  updateMergeWindow: duration(0),
};

/** Trust domains of the exporters whose sidecars are dialled without a gateway. */
function directDomains(view: ServicePortView): TrustDomain[] {
  const direct = new Set(
    view.localities.filter(({ via }) => via !== "gateway").map(({ cluster }) => cluster),
  );
  return view.exporters.filter(({ cluster }) => direct.has(cluster)).map(({ trustDomain }) => trustDomain);
}

function answersThatCount(http: boolean, viaGateway: boolean, direct: boolean): AnswersThatCount {
  if (!http) return "none";
  if (!viaGateway) return "gateway-errors";
  return direct ? "matched" : "none";
}

/** `view.exporters` must not be empty: a model without allowed ids produces no cluster (see usableView). */
export function clusterFor(view: ServicePortView, name: string = view.sni): Uint8Array {
  const exporters = [...view.exporters].sort((a, b) => byText(a.cluster, b.cluster));
  const [first] = exporters;
  assert(first !== undefined, `${view.sni}: no exporter`);
  const http = isHttp(view.port.protocol);
  const alpn = http ? ["h2"] : [];
  const viaGateway = view.localities.some((locality) => locality.via === "gateway");
  const direct = directDomains(view);
  return encoded(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: ADS },
    connectTimeout: duration(CONNECT_TIMEOUT_MS),
    ignoreHealthOnHostRemoval: true,
    commonLbConfig: FAILOVER_LB,
    circuitBreakers: BREAKERS,
    outlierDetection: outlierDetection(answersThatCount(http, viaGateway, direct.length > 0)),
    ...(http ? { typedExtensionProtocolOptions: meshHttpOptions(viaGateway, viaGateway ? direct : []) } : {}),
    // An endpoint that matches no exporter still meets TLS and fails closed.
    transportSocket: upstreamTls(view.sni, first, alpn),
    transportSocketMatches: exporters.map((exporter) => ({
      name: exporter.cluster,
      match: { cluster: exporter.cluster },
      transportSocket: upstreamTls(view.sni, exporter, alpn),
    })),
  });
}
