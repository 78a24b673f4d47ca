/** Invariants of listeners: guard first, policy before the application, no way around a chain's own cluster. */
import {
  anyUnpack,
  type Filter,
  type FilterChain,
  fromBinary,
  type HttpConnectionManager,
  HttpConnectionManager_ForwardClientCertDetails,
  HttpConnectionManagerSchema,
  type Listener,
  ListenerSchema,
  type NetworkRBAC,
  NetworkRBACSchema,
  type TcpProxy,
  TcpProxySchema,
} from "../../../gen/index.ts";
import { GUARD_STAT } from "../guard.ts";
import { appClusterName, BLACK_HOLE, ORIGINAL_DESTINATION, passthroughClusterName } from "../names.ts";
import { Collector, type Facts } from "./facts.ts";
import { demandDecides } from "./matcher-facts.ts";
import { readRoutes } from "./route-facts.ts";
import { readDownstreamTls } from "./tls-facts.ts";

type Known =
  | { readonly kind: "rbac"; readonly config: NetworkRBAC }
  | { readonly kind: "tcp"; readonly config: TcpProxy }
  | { readonly kind: "http"; readonly config: HttpConnectionManager };

function knownFilter(filter: Filter): Known | undefined {
  const any = filter.configType.case === "typedConfig" ? filter.configType.value : undefined;
  if (any === undefined) return undefined;
  const rbac = anyUnpack(any, NetworkRBACSchema);
  if (rbac !== undefined) return { kind: "rbac", config: rbac };
  const tcp = anyUnpack(any, TcpProxySchema);
  if (tcp !== undefined) return { kind: "tcp", config: tcp };
  const http = anyUnpack(any, HttpConnectionManagerSchema);
  return http === undefined ? undefined : { kind: "http", config: http };
}

function readHttp(manager: HttpConnectionManager, terminates: boolean, collector: Collector): void {
  const { routeSpecifier, httpFilters } = manager;
  if (routeSpecifier.case === "rds") collector.routes.add(routeSpecifier.value.routeConfigName);
  else if (routeSpecifier.case === "routeConfig") readRoutes(routeSpecifier.value, collector);
  else collector.demand(false, "an HTTP manager without routes");
  for (const filter of httpFilters)
    if (filter.configType.case === "configDiscovery") collector.extensionConfigs.add(filter.name);
  if (!terminates) return;
  collector.demand(
    httpFilters[0]?.configType.case === "configDiscovery",
    "the access policy is not the first HTTP filter",
  );
  collector.demand(
    manager.forwardClientCertDetails === HttpConnectionManager_ForwardClientCertDetails.SANITIZE_SET,
    "a caller's own XFCC would reach the application",
  );
}

const isApp = (cluster: string): boolean => cluster.startsWith(appClusterName(""));

const clusterOf = (proxy: TcpProxy): string =>
  proxy.clusterSpecifier.case === "cluster" ? proxy.clusterSpecifier.value : "";

function readTerminating(filters: readonly (Known | undefined)[], collector: Collector): void {
  const [guard, second, third] = filters;
  collector.demand(
    guard?.kind === "rbac" && guard.config.statPrefix === GUARD_STAT,
    "the one-URI guard is not the first filter",
  );
  const isHttp = second?.kind === "http" && filters.length === 2;
  const isTcp = second?.kind === "rbac" && third?.kind === "tcp" && filters.length === 3;
  collector.demand(isHttp || isTcp, "filters are neither guard, HTTP nor guard, policy, TCP");
}

/** Without mTLS an application takes what comes from stated ranges, and nobody tells it there who he is. */
function demandNoWayAround(
  { name, filterChainMatch, transportSocket }: FilterChain,
  filters: readonly (Known | undefined)[],
  collector: Collector,
): void {
  const behind = new Collector(name);
  for (const filter of filters) {
    if (filter?.kind === "tcp") behind.clusters.add(clusterOf(filter.config));
    if (filter?.kind !== "http" || filter.config.routeSpecifier.case !== "routeConfig") continue;
    readRoutes(filter.config.routeSpecifier.value, behind);
    const { forwardClientCertDetails: forwarded } = filter.config;
    const isClean = forwarded === HttpConnectionManager_ForwardClientCertDetails.SANITIZE;
    if (transportSocket === undefined)
      collector.demand(isClean, `${name}: who shows no certificate could name himself by XFCC`);
  }
  if (transportSocket !== undefined || ![...behind.clusters].some(isApp)) return;
  collector.demand(
    (filterChainMatch?.sourcePrefixRanges.length ?? 0) > 0,
    `${name}: an application takes plain text from everybody`,
  );
}

function readChain(chain: FilterChain, collector: Collector): void {
  const terminates = chain.transportSocket !== undefined;
  const filters = chain.filters.map(knownFilter);
  if (chain.transportSocket !== undefined) {
    readDownstreamTls(chain.transportSocket, collector);
    readTerminating(filters, collector);
  }
  for (const filter of filters) {
    collector.demand(filter !== undefined, `${chain.name}: a filter of an unknown kind`);
    if (filter?.kind === "rbac")
      demandDecides(filter.config.matcher, `${chain.name}: network RBAC`, collector);
    if (filter?.kind === "tcp") collector.clusters.add(clusterOf(filter.config));
    if (filter?.kind === "http") readHttp(filter.config, terminates, collector);
  }
  demandNoWayAround(chain, filters, collector);
  const names = chain.filterChainMatch?.serverNames ?? [];
  if (terminates || names.length === 0) return;
  for (const name of names) {
    collector.passedNames.add(name);
    const target = filters[0]?.kind === "tcp" ? clusterOf(filters[0].config) : "";
    collector.demand(target === passthroughClusterName(name), `${name} is passed to ${target}`);
  }
}

/** A connection to the listener's own port that it passes on comes back to it, for ever. */
function demandNoLoop({ address, filterChains }: Listener, collector: Collector): void {
  const socket = address?.address.case === "socketAddress" ? address.address.value : undefined;
  const own = socket?.portSpecifier.case === "portValue" ? socket.portSpecifier.value : 0;
  const guard = filterChains.find(
    ({ filterChainMatch: match }) => match?.destinationPort === own && match.serverNames.length === 0,
  );
  const [filter] = guard?.filters.map(knownFilter) ?? [];
  const isHole = filter?.kind === "tcp" && clusterOf(filter.config) === BLACK_HOLE;
  collector.demand(isHole, "what is dialled at its own port is passed on to itself");
}

export function listenerFacts(name: string, bytes: Uint8Array): Facts {
  const listener = fromBinary(ListenerSchema, bytes);
  const collector = new Collector(`listener ${name}`);
  collector.demand(listener.name === name, `is named ${listener.name}`);
  collector.demand(listener.accessLog.length > 0, "has no access log");
  const chains = new Set<string>();
  const serverNames = new Set<string>();
  for (const chain of listener.filterChains) {
    collector.demand(chain.name !== "" && !chains.has(chain.name), `chain "${chain.name}" unnamed or twice`);
    chains.add(chain.name);
    for (const serverName of chain.filterChainMatch?.serverNames ?? []) {
      collector.demand(!serverNames.has(serverName), `server name ${serverName} twice`);
      serverNames.add(serverName);
    }
    readChain(chain, collector);
  }
  const fallback = listener.defaultFilterChain?.filters.map(knownFilter) ?? [];
  const takes = listener.listenerFilters.some(({ name }) => name === "envoy.filters.listener.original_dst");
  for (const filter of fallback) {
    const to = filter?.kind === "tcp" ? clusterOf(filter.config) : "";
    const isSafe = to === BLACK_HOLE || (takes && to === ORIGINAL_DESTINATION);
    collector.demand(isSafe, "the default chain leads somewhere");
    if (isSafe) collector.clusters.add(to);
  }
  if (takes) demandNoLoop(listener, collector);
  return collector.facts();
}
