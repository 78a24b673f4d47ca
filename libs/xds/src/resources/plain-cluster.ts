/** Clusters without mesh TLS: the application behind a sidecar, a gateway's passthrough, and the black hole. */
import type { ServingPort } from "@hansa/model";
import { Cluster_DiscoveryType, Cluster_LbPolicy, ClusterSchema } from "../../gen/index.ts";
import { BREAKERS, FAILOVER_LB } from "./client-cluster.ts";
import { appHttpOptions, isHttp } from "./http-protocol.ts";
import { CONNECT_TIMEOUT_MS, PASSING_CONNECT_TIMEOUT_MS } from "./limits.ts";
import { ADS, duration, encoded, type Init, socketAddress } from "./message.ts";
import { appClusterName, BLACK_HOLE, ORIGINAL_DESTINATION, passthroughClusterName } from "./names.ts";
import { outlierDetection } from "./outlier.ts";
import type { AppTarget } from "./types.ts";

const STATIC = { case: "type", value: Cluster_DiscoveryType.STATIC } as const;

export const blackHoleCluster = (): Uint8Array =>
  encoded(ClusterSchema, {
    name: BLACK_HOLE,
    clusterDiscoveryType: STATIC,
    connectTimeout: duration(CONNECT_TIMEOUT_MS),
    loadAssignment: { clusterName: BLACK_HOLE },
  });

export const originalDestinationCluster = (): Uint8Array =>
  encoded(ClusterSchema, {
    name: ORIGINAL_DESTINATION,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.ORIGINAL_DST },
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    connectTimeout: duration(PASSING_CONNECT_TIMEOUT_MS),
    circuitBreakers: BREAKERS,
  });

/** One address, no outlier detection: ejecting the only application helps nobody. */
export const appClusterFor = (sni: string, app: AppTarget): Uint8Array =>
  encoded(ClusterSchema, {
    name: appClusterName(sni),
    clusterDiscoveryType: STATIC,
    connectTimeout: duration(CONNECT_TIMEOUT_MS),
    circuitBreakers: BREAKERS,
    loadAssignment: {
      clusterName: appClusterName(sni),
      endpoints: [
        {
          lbEndpoints: [
            {
              hostIdentifier: {
                case: "endpoint",
                value: { address: socketAddress(app.address, app.port) },
              },
            },
          ],
        },
      ],
    },
    ...(isHttp(app.protocol) ? { typedExtensionProtocolOptions: appHttpOptions(app.protocol) } : {}),
  });

/** The exporter's own gateway ejects its bad pods: it alone can see them one by one (federation §1.5 rule 4). */
export const passthroughClusterFor = (serving: ServingPort): Uint8Array =>
  localPods(passthroughClusterName(serving.sni));

/** Pods without a proxy, spoken to as they declare. */
export const plainClusterFor = (serving: ServingPort): Uint8Array =>
  localPods(
    appClusterName(serving.sni),
    isHttp(serving.port.protocol)
      ? { typedExtensionProtocolOptions: appHttpOptions(serving.port.protocol) }
      : {},
  );

const localPods = (name: string, more: Init<typeof ClusterSchema> = {}): Uint8Array =>
  encoded(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: ADS },
    connectTimeout: duration(CONNECT_TIMEOUT_MS),
    ignoreHealthOnHostRemoval: true,
    commonLbConfig: FAILOVER_LB,
    circuitBreakers: BREAKERS,
    outlierDetection: outlierDetection("none"),
    ...more,
  });
