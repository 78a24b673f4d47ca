/** Reads of the federation from this agent's own fold: the answers that outlive the hub. */
import { type ClusterName, HansaError } from "@hansa/core";
import { type EndpointValue, type ServiceValue, serviceKey } from "@hansa/events";
import {
  explainAccess,
  explainRoute,
  FailbackMemory,
  type ServicePortView,
  servicePortViews,
  type Vantage,
} from "@hansa/model";
import { z } from "zod";
import type { AgentView } from "./agent-view.ts";
import { clusterItem, itemsOf, page } from "./items.ts";
import { type Asked, envelope, type Route } from "./server.ts";

const LISTS = [
  ["/v1/services", "ServiceList", "ServiceSet"],
  ["/v1/endpoints", "EndpointList", "EndpointSet"],
  ["/v1/links", "LinkList", "LinkSet"],
  ["/v1/identities", "IdentityList", "IdentitySet"],
  ["/v1/policies", "PolicyList", "PolicySet"],
] as const;

const routeQuery = z.object({
  cluster: z.string().optional(),
  zone: z.string().optional(),
  workload: z.string().optional(),
  ns: z.string().min(1),
  service: z.string().min(1),
});
const accessQuery = z.object({
  caller: z.string().min(1),
  ns: z.string().min(1),
  service: z.string().min(1),
});

/** Where the caller stands: the zone asked for, else that of one of its replicas, else the cluster's first. */
function vantageOf(agent: AgentView, query: z.infer<typeof routeQuery>): Vantage {
  const { reader } = agent.core;
  const cluster = (query.cluster ?? agent.cluster) as ClusterName;
  const member = reader.member(cluster);
  if (member === undefined)
    throw new HansaError("HSA1005", `cluster ${cluster}: not a member of this federation`);
  const { region, zones } = member.membership.grant;
  const replica =
    query.workload === undefined
      ? undefined
      : cluster === agent.cluster
        ? agent.plane.list().find((proxy) => proxy.id.startsWith(`${query.workload}/`))?.zone
        : [...reader.ofType(cluster, "EndpointSet")]
            .map(({ key, value }) => ({ namespace: key.split("/")[1] ?? "", value: value as EndpointValue }))
            .find(({ namespace, value }) => `${namespace}/${value.workload}` === query.workload)?.value.zone;
  return { cluster, region, zone: query.zone ?? replica ?? zones[0] ?? "" };
}

function routeInput(agent: AgentView, self: Vantage) {
  const own = self.cluster === agent.cluster;
  const memory = own ? agent.plane.zone(self.zone)?.memory : undefined;
  return {
    fed: agent.core.reader,
    self,
    // Of another cluster only what it has published is known.
    ...(own ? { evidence: (peer: string) => agent.core.watch.link(peer) } : {}),
    memory: memory?.copy() ?? new FailbackMemory(),
    monotonicMs: agent.ports.clock.monotonicMs(),
  };
}

function describe(agent: AgentView, namespace: string, name: string): unknown {
  const { reader } = agent.core;
  const exporters = reader.members().flatMap(({ cluster }) => {
    const value = reader.effective(cluster, serviceKey(namespace, name), agent.cluster)?.value as
      | ServiceValue
      | undefined;
    return value === undefined ? [] : [{ cluster, value }];
  });
  if (exporters.length === 0)
    throw new HansaError("HSA1005", `service ${namespace}/${name}: nobody offers it`);
  const self = vantageOf(agent, { ns: namespace, service: name });
  const views: readonly ServicePortView[] = servicePortViews(routeInput(agent, self), namespace, name);
  return {
    namespace,
    name,
    clusters: exporters,
    exporters,
    ports: views,
    conflicts: views.flatMap(({ conflicts }) => conflicts),
  };
}

export function meshRoutes(agent: AgentView): Route[] {
  const { core } = agent;
  const federation = () =>
    envelope("Federation", {
      federation: core.fed.options.genesis.federation,
      fingerprint: core.fingerprint,
      operators: core.fed.operators(),
      hubKey: core.fed.hubKey(),
      lab: core.fed.options.genesis.lab,
    });
  const lists = LISTS.map(
    ([path, kind, type]): Route => ({
      method: "GET",
      path,
      role: "viewer",
      answer: ({ query }: Asked) => {
        const { cluster, namespace, service } = query;
        return envelope(kind, page(itemsOf(core.reader, type, { cluster, namespace, service }), query));
      },
    }),
  );
  return [
    { method: "GET", path: "/v1/federation", role: "viewer", answer: federation },
    {
      method: "GET",
      path: "/v1/clusters",
      role: "viewer",
      answer: ({ query }) =>
        envelope(
          "ClusterList",
          page(
            core.fed.members().map((member) => clusterItem(member, core.fed.heads())),
            query,
          ),
        ),
    },
    ...lists,
    {
      method: "GET",
      path: "/v1/services/:namespace/:name",
      role: "viewer",
      answer: ({ params }) => envelope("Service", describe(agent, params.namespace ?? "", params.name ?? "")),
    },
    {
      method: "GET",
      path: "/v1/explain/route",
      role: "viewer",
      answer: ({ query }) => {
        const asked = routeQuery.parse(query);
        const self = vantageOf(agent, asked);
        return envelope("RouteExplanation", explainRoute(routeInput(agent, self), asked.ns, asked.service));
      },
    },
    {
      method: "GET",
      path: "/v1/explain/access",
      role: "viewer",
      answer: ({ query }) => {
        const { caller, ns, service } = accessQuery.parse(query);
        return envelope("AccessExplanation", explainAccess(core.reader, caller, ns, service));
      },
    },
    {
      method: "GET",
      path: "/v1/routes",
      role: "viewer",
      answer: ({ query }) => {
        const asked = routeQuery.parse(query);
        const self = vantageOf(agent, asked);
        return envelope("Routes", {
          from: self,
          ports: servicePortViews(routeInput(agent, self), asked.ns, asked.service),
        });
      },
    },
    {
      method: "GET",
      path: "/v1/federation-state",
      role: "viewer",
      answer: () =>
        envelope("FederationState", {
          digest: core.fed.digest(),
          heads: core.fed.heads(),
          acked: agent.plane.propagation.acked,
          findings: core.fed.findings(),
          commands: core.fed.commands(),
        }),
    },
  ];
}
