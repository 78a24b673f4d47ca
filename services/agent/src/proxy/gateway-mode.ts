/**
 * Which ports a gateway ends mTLS for and which imports it takes pods in for (gateway mode). Owns the memory of both, so
 * that the plane knows when a gateway's own resources have to be made anew.
 */

import type { FederationName, TrustDomain } from "@hansa/core";
import { type ClusterName, gatewayId, type SpiffeId, trustDomainOf, workloadId } from "@hansa/core";
import type { Svid } from "@hansa/identity";
import {
  type FederationReader,
  importersOf,
  read,
  type ServicePortView,
  type ServingPort,
} from "@hansa/model";
import type { GatewayMode } from "@hansa/xds";
import type { LocalProxy } from "./inventory.ts";
import type { ZoneLayer } from "./zone-layer.ts";

interface FrontPlace {
  readonly federation: FederationName;
  readonly cluster: ClusterName;
  readonly trustDomain: TrustDomain;
  readonly reader: FederationReader;
}

export interface GatewayModeOptions extends FrontPlace {
  readonly svid: (id: SpiffeId) => Svid;
}

/** Only where no pod of the port has a proxy: a chain passes or ends, for all of them. */
export const isFronted = ({ exported, endpoints, plain = [] }: ServingPort): boolean =>
  exported && endpoints.length === 0 && plain.length > 0;

/** The same ports, and the gateways of those that they are exported to among the callers: these speak for their pods. */
export function withGateways(
  port: ServingPort,
  { reader, cluster, federation }: GatewayModeOptions,
): ServingPort {
  const gateways = importersOf(reader, cluster, port.namespace, port.service)
    .filter((member) => member.cluster !== cluster)
    .map((member) => ({
      kind: "exact" as const,
      value: gatewayId(trustDomainOf(member.cluster, federation)),
    }));
  const known = new Set(port.callers.map(({ value }) => value));
  return { ...port, callers: [...port.callers, ...gateways.filter(({ value }) => !known.has(value))] };
}

export function gatewayModeOf(
  serving: readonly ServingPort[],
  views: readonly ServicePortView[],
  ports: ReadonlyMap<string, number>,
  options: GatewayModeOptions,
): GatewayMode {
  const fronts = serving
    .filter(isFronted)
    .map((port) => [port.sni, options.svid(frontId(port, options))] as const);
  return {
    trustDomain: options.trustDomain,
    fronts: new Map(fronts),
    entries: views.flatMap((view) => {
      const port = ports.get(view.sni);
      return port === undefined ? [] : [{ view, port }];
    }),
  };
}

/** Callers take any identity that the service names: the first stands for all. */
function frontId(
  { namespace, service }: ServingPort,
  { reader, cluster, trustDomain }: FrontPlace,
): SpiffeId {
  const register = read({ fed: reader, observer: cluster }, cluster, "service", `${namespace}/${service}`);
  const [account = "default"] = [...(register?.value.serviceAccounts ?? [])].sort();
  return workloadId(trustDomain, namespace, account);
}

interface FrontsOptions extends GatewayModeOptions {
  readonly gatewayMode?: boolean | undefined;
}

/** Gateway mode as the plane meets it: where it is off, gateways pass everything on and take nobody in. */
export class Fronts {
  readonly #options: FrontsOptions;
  readonly #isOn: boolean;
  /** Gateway → what it ends mTLS for at present, and the identity that it shows there. */
  readonly #shown = new Map<string, ReadonlyMap<string, SpiffeId>>();

  constructor(options: FrontsOptions) {
    this.#options = options;
    this.#isOn = options.gatewayMode === true;
  }

  /** The proxy has clusters of its zone's services. */
  calls({ kind }: LocalProxy): boolean {
    return kind === "sidecar" || this.#isOn;
  }

  /** Another one where a proxy of the zone needs other listeners. */
  listenersKey(zone: ZoneLayer): string {
    return this.#isOn ? entriesKey(zone.views()) : zone.tcp().key;
  }

  /** Ports of services for which proxies of the zone listen at a port of their own. */
  listeners(zone: ZoneLayer): readonly ServicePortView[] {
    return this.#isOn ? zone.views() : zone.tcp().views;
  }

  /** What a gateway serves, and how. */
  layerInput(
    serving: readonly ServingPort[],
    zone: ZoneLayer | undefined,
    ports: ReadonlyMap<string, number>,
  ): { readonly serving: readonly ServingPort[]; readonly gatewayMode?: GatewayMode } {
    if (!this.#isOn) return { serving };
    const gatewayMode = gatewayModeOf(serving, zone?.views() ?? [], ports, this.#options);
    return { serving: serving.map((port) => withGateways(port, this.#options)), gatewayMode };
  }

  ends(port: ServingPort): boolean {
    return this.#isOn && isFronted(port);
  }

  /** One of these ports was passed and is to be ended, or the other way. */
  isOther(gateway: string, ports: readonly ServingPort[]): boolean {
    const shown = this.#shown.get(gateway);
    return ports.some((port) => this.ends(port) !== (shown?.has(port.sni) ?? false));
  }

  take(gateway: string, serving: readonly ServingPort[]): void {
    const ended = serving.filter((port) => this.ends(port));
    this.#shown.set(gateway, new Map(ended.map((port) => [port.sni, frontId(port, this.#options)])));
  }

  shows(gateway: string, id: SpiffeId): boolean {
    return [...(this.#shown.get(gateway)?.values() ?? [])].includes(id);
  }

  identities(): SpiffeId[] {
    return [...this.#shown.values()].flatMap((shown) => [...shown.values()]);
  }
}

/** What entries depend on beside their port; localities come by EDS. */
const entriesKey = (views: readonly ServicePortView[]): string =>
  views
    .map(({ sni, port, exporters }) => `${sni} ${port.protocol} ${exporters.length > 0}`)
    .sort()
    .join("\n");
