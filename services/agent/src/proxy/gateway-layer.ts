/** What one gateway has: chains and passthrough clusters of the exports, and the probe's chain. */
import type { ClusterName, FederationName } from "@hansa/core";
import type { ServingPort } from "@hansa/model";
import {
  appClusterName,
  type GatewayMode,
  gatewayResources,
  passthroughAssignmentFor,
  passthroughClusterName,
  plainAssignmentFor,
  type TlsIdentity,
  type TrustBundles,
} from "@hansa/xds";
import type { Gateway } from "./inventory.ts";
import { type ResourceSet, resourceSet } from "./resource-set.ts";

export interface GatewayLayerInput {
  readonly federation: FederationName;
  readonly cluster: ClusterName;
  readonly proxy: Gateway;
  readonly serving: readonly ServingPort[];
  readonly members: readonly ClusterName[];
  readonly svid: TlsIdentity;
  readonly bundles: TrustBundles;
  readonly gatewayMode?: GatewayMode;
}

export const gatewayLayer = ({ proxy, ...input }: GatewayLayerInput): ResourceSet =>
  resourceSet(gatewayResources({ ...input, listen: { address: proxy.address, port: proxy.port } }));

/** Endpoints alone changed: clusters and chains stay. */
export const gatewayEndpoints = (
  serving: readonly ServingPort[],
  isFronted: (port: ServingPort) => boolean = () => false,
): Map<string, Uint8Array> =>
  new Map(
    serving
      .filter(({ exported }) => exported)
      .map((port) =>
        isFronted(port)
          ? [appClusterName(port.sni), plainAssignmentFor(port)]
          : [passthroughClusterName(port.sni), passthroughAssignmentFor(port)],
      ),
  );
