/** Probes a peer's gateways with this agent's SVID: the peer is reachable while any one of them answers. */
import { agentId, type ClusterName, gatewayId, type SpiffeId } from "@hansa/core";
import type { BundleValue, GatewayValue } from "@hansa/events";
import {
  GatewayProber as KeptProber,
  type ProbePorts,
  type ProbeResult,
  rootsOf,
  type Svid,
} from "@hansa/identity";
import { type Federation, probeSni } from "@hansa/model";
import type { Prober } from "./watch.ts";

const TIMEOUT_MS = 1000;

export interface GatewayProberOptions {
  readonly fed: Federation;
  readonly peer: ClusterName;
  readonly ports: ProbePorts;
  readonly svid: (id: SpiffeId) => Svid;
  readonly self: ClusterName;
}

/** In effect, by name. */
export function gatewaysOf(fed: Federation, peer: ClusterName): (GatewayValue & { readonly name: string })[] {
  return [...fed.ofType(peer, "GatewaySet")].flatMap((view) => {
    const effect = fed.effect(peer, view);
    return effect === undefined ? [] : [{ ...effect.value, name: view.key }];
  });
}

export function gatewayProber(options: GatewayProberOptions): Prober {
  const { fed, peer, ports } = options;
  const kept = new Map<string, KeptProber>();

  async function probeOne(gateway: GatewayValue & { readonly name: string }): Promise<ProbeResult> {
    const bundle = fed.effective(peer, "bundle")?.value as BundleValue | undefined;
    const own = fed.member(options.self);
    const member = fed.member(peer);
    if (bundle === undefined || member === undefined || own === undefined)
      return { ok: false, stage: "tls", message: "no bundle yet" };
    const prober = kept.get(gateway.name) ?? new KeptProber(ports);
    kept.set(gateway.name, prober);
    return prober.probe({
      address: gateway.address,
      port: gateway.port,
      sni: probeSni(peer, fed.options.genesis.federation),
      roots: rootsOf(bundle),
      expectedId: gatewayId(member.trustDomain),
      svid: options.svid(agentId(own.trustDomain)),
      timeoutMs: TIMEOUT_MS,
    });
  }

  return {
    async probe() {
      const known = gatewaysOf(fed, peer);
      for (const name of kept.keys())
        if (!known.some((gateway) => gateway.name === name)) {
          kept.get(name)?.close();
          kept.delete(name);
        }
      const ready = fed.effective(peer, "bundle") !== undefined && fed.member(options.self) !== undefined;
      // Nothing to probe yet says nothing of the peer.
      if (known.length === 0 || !ready)
        return { ok: false, stage: "none", message: "no gateway or bundle known yet" };
      const results = await Promise.all(known.map(probeOne));
      return results.find((result) => result.ok) ?? results[0] ?? { ok: false, stage: "none", message: "" };
    },
    close() {
      for (const prober of kept.values()) prober.close();
      kept.clear();
    },
  };
}
