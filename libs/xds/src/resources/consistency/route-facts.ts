/** Invariants of route tables: unique domains, and no route but to a named cluster or a fixed answer. */
import { fromBinary, type RouteConfiguration, RouteConfigurationSchema } from "../../../gen/index.ts";
import { Collector, type Facts } from "./facts.ts";

export function readRoutes(routes: RouteConfiguration, collector: Collector): void {
  const domains = new Set<string>();
  for (const host of routes.virtualHosts) {
    for (const domain of host.domains) {
      collector.demand(!domains.has(domain), `domain ${domain} twice`);
      domains.add(domain);
    }
    for (const { action } of host.routes) {
      if (action.case === "directResponse") continue;
      const target = action.case === "route" ? action.value.clusterSpecifier : undefined;
      collector.demand(target?.case === "cluster", `${host.name}: a route that names no cluster`);
      if (target?.case === "cluster") collector.clusters.add(target.value);
    }
  }
}

export function routeFacts(name: string, bytes: Uint8Array): Facts {
  const routes = fromBinary(RouteConfigurationSchema, bytes);
  const collector = new Collector(`routes ${name}`);
  collector.demand(routes.name === name, `are named ${routes.name}`);
  readRoutes(routes, collector);
  return collector.facts();
}
