/** All resources of one gateway. Composes; every decision is in the builder of its kind. */
import { agentId, trustDomainOf } from "@hansa/core";
import { accessPolicyFor } from "./access-policy.ts";
import { exportedOnly, gatewayListenerFor, probeRules } from "./gateway-listener.ts";
import { frontedOnly, gatewayModeResources } from "./gateway-mode.ts";
import { servedChain } from "./inbound-listener.ts";
import { passthroughAssignmentFor } from "./load-assignment.ts";
import { byText, sortedMap } from "./message.ts";
import {
  accessPolicyName,
  BLACK_HOLE,
  frontedSvidName,
  GATEWAY_LISTENER,
  MEMBERS_SECRET,
  passthroughClusterName,
  probeSni,
  SVID_SECRET,
} from "./names.ts";
import { blackHoleCluster, passthroughClusterFor } from "./plain-cluster.ts";
import { bundlesSecretFor, pickBundles, svidSecretFor } from "./secrets.ts";
import type { GatewayInput, Resources } from "./types.ts";

type Entry = readonly [string, Uint8Array];

/** The own cluster counts as a member. Throws a broken invariant where no member has roots. */
export function gatewayResources(input: GatewayInput): Resources {
  const members = [...new Set([input.cluster, ...input.members])].sort(byText);
  const domains = members.map((member) => trustDomainOf(member, input.federation));
  const exported = exportedOnly(input.serving);
  const mode = input.gatewayMode;
  const fronted = frontedOnly(exported, mode);
  const passed = exported.filter((port) => !fronted.includes(port));
  const ended = mode === undefined ? undefined : gatewayModeResources(input, mode, fronted);
  const probe = probeSni(input.cluster, input.federation);
  const policy = accessPolicyName(probe);
  return {
    clusters: sortedMap<Uint8Array>([
      [BLACK_HOLE, blackHoleCluster()],
      ...passed.map((port): Entry => [passthroughClusterName(port.sni), passthroughClusterFor(port)]),
      ...(ended?.clusters ?? []),
    ]),
    endpoints: sortedMap([
      ...passed.map((port): Entry => [passthroughClusterName(port.sni), passthroughAssignmentFor(port)]),
      ...(ended?.endpoints ?? []),
    ]),
    listeners: sortedMap<Uint8Array>([
      [
        GATEWAY_LISTENER,
        gatewayListenerFor({
          address: input.listen.address,
          port: input.listen.port,
          probeSni: probe,
          serving: exported,
          endedChain: (port) =>
            mode !== undefined && fronted.includes(port)
              ? servedChain(port, mode.trustDomain, frontedSvidName(port.sni))
              : undefined,
        }),
      ],
      ...(ended?.listeners ?? []),
    ]),
    routes: new Map(),
    secrets: sortedMap<Uint8Array>([
      [SVID_SECRET, svidSecretFor(input.svid)],
      [MEMBERS_SECRET, bundlesSecretFor(MEMBERS_SECRET, pickBundles(input.bundles, domains))],
      ...(ended?.secrets ?? []),
    ]),
    extensionConfigs: sortedMap<Uint8Array>([
      [policy, accessPolicyFor(policy, probeRules(domains.map(agentId)))],
      ...(ended?.extensionConfigs ?? []),
    ]),
  };
}
