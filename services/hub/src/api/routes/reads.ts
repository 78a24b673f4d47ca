/** Lists and views of the projections, now or `at=` a past moment. */
import { HansaError } from "@hansa/core";
import type { BundleValue } from "@hansa/events";
import { bundleMap } from "@hansa/identity";
import {
  allRows,
  type Item,
  itemsOf,
  type Now,
  type Page,
  type ProjectionTable,
  pageOf,
  readGaps,
} from "@hansa/store";
import * as z from "zod";
import type { Leader } from "../../leader/leader.ts";
import { publishedBundles } from "../../read/bundle-map.ts";
import { parseMoment } from "../../read/moment.ts";
import type { Hub } from "../hub.ts";
import type { Answer, Route } from "../route.ts";
import { at, filters, page } from "./query.ts";

type Query = Readonly<Record<string, unknown>>;

/** Everything of a list that a read needs beside the filter. */
async function list(hub: Hub, kind: ProjectionTable, query: Query): Promise<Page & Now> {
  const { at: moment, limit, cursor, ...given } = query;
  const filter = Object.fromEntries(
    Object.entries(given).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
  const request = {
    filter,
    limit: Number(limit ?? 1000),
    cursor: typeof cursor === "string" ? cursor : null,
  };
  if (typeof moment === "string") {
    const { fed, position, committedMs } = await hub.reader.fold(parseMoment(moment));
    return { ...pageOf(itemsOf(allRows(fed), kind), kind, request), position, committedMs };
  }
  const now = await hub.reader.now();
  return { ...(await hub.store.list(kind, request)), ...now };
}

const answerOf = ({ items, next, position, committedMs }: Page & Now): Answer => ({
  data: { items, next },
  position,
  committedMs,
});

function listRoute(
  hub: Hub,
  path: string,
  table: ProjectionTable,
  kind: string,
  summary: string,
  names: readonly string[],
): Route {
  return {
    method: "GET",
    path,
    kind,
    summary,
    access: "viewer",
    query: z.strictObject({ ...at, ...page, ...filters(...names) }),
    handle: async ({ query }) => answerOf(await list(hub, table, query)),
  };
}

/** All pages of a small filter. */
async function all(hub: Hub, kind: ProjectionTable, query: Query): Promise<Page & Now> {
  const first = await list(hub, kind, { ...query, limit: 1000 });
  const items: Item[] = [...first.items];
  for (let { next } = first; next !== null && items.length < 100_000; ) {
    const more = await list(hub, kind, { ...query, limit: 1000, cursor: next });
    items.push(...more.items);
    next = more.next;
  }
  return { ...first, items, next: null };
}

async function describeService(hub: Hub, namespace: string, name: string, query: Query): Promise<Answer> {
  const services = await all(hub, "service", { ...query, namespace, name });
  if (services.items.length === 0) throw new HansaError("HSA1005", `service ${namespace}/${name}: not known`);
  // The parts are of one moment.
  const same = { at: String(services.position) };
  const position = query.at === undefined ? {} : same;
  const loads = await all(hub, "load", { ...position, namespace, name });
  const endpoints = await all(hub, "endpoint", { ...position, namespace, service: name });
  const policies = await all(hub, "policy", { ...position, namespace });
  return {
    data: {
      namespace,
      name,
      exporters: services.items,
      loads: loads.items,
      endpoints: endpoints.items,
      policies: policies.items.filter(({ name: policy, value }) => {
        const service = (value as { service?: unknown }).service;
        return service === name || policy === name;
      }),
    },
    position: services.position,
    committedMs: services.committedMs,
  };
}

async function federation(hub: Hub, query: Query): Promise<Answer> {
  const moment = typeof query.at === "string" ? parseMoment(query.at) : null;
  const { fed, position, committedMs } = await hub.reader.fold(moment);
  const { genesis, fingerprint } = hub.keys;
  const states: Record<string, number> = {};
  for (const { state } of fed.members()) states[state] = (states[state] ?? 0) + 1;
  return {
    data: {
      federation: genesis.federation,
      fingerprint,
      lab: genesis.lab,
      hubKey: fed.hubKey(),
      hubAccount: genesis.hubAccount,
      operators: fed.operators(),
      members: states,
      digest: fed.digest(),
      findings: fed.findings(),
      commands: fed.commands(),
    },
    position,
    committedMs,
  };
}

/** Committed ends of all logs, and how far the proxies of each importer have come. */
async function positions(hub: Hub, leader: Leader): Promise<Answer> {
  const now = await hub.reader.now();
  const fed = await leader.ready();
  const named = <Head extends { readonly source: string }>(head: Head) => ({
    cluster: fed.source(head.source)?.cluster ?? head.source,
    ...head,
  });
  const nowMs = hub.clock.monotonicMs();
  return {
    data: {
      committed: leader.heads().map(named),
      acked: Object.fromEntries(
        leader.beats
          .seen()
          .map(({ cluster, beat, atMs }) => [
            cluster,
            { ageMs: Math.round(nowMs - atMs), heads: beat.acked.map(named) },
          ]),
      ),
      gaps: (await readGaps(hub.store.db)).map(named),
    },
    ...now,
  };
}

async function bundles(hub: Hub): Promise<undefined | { map: unknown; sequence: number; now: Now }> {
  const now = await hub.reader.now();
  const rows = await all(hub, "trust_bundle", {});
  const members = await all(hub, "cluster", {});
  const live = new Set(
    members.items.filter(({ state }) => state === "active" || state === "draining").map(({ name }) => name),
  );
  const values = rows.items
    .filter(({ cluster, effective }) => effective === true && live.has(cluster))
    .map(({ value }) => value as BundleValue);
  const published = await publishedBundles(hub.store, values);
  return { map: bundleMap(published.bundles), sequence: published.sequence, now };
}

export const readRoutes = (hub: Hub): Route[] => [
  {
    method: "GET",
    path: "/v1/federation",
    kind: "Federation",
    summary: "Name, fingerprint, operators, members by state, findings, state digest",
    access: "viewer",
    query: z.strictObject({ ...at }),
    handle: ({ query }) => federation(hub, query),
  },
  listRoute(hub, "/v1/clusters", "cluster", "ClusterList", "Members with grant and state", [
    "name",
    "state",
    "region",
  ]),
  listRoute(hub, "/v1/services", "service", "ServiceList", "Services by exporter", [
    "cluster",
    "namespace",
    "name",
  ]),
  {
    method: "GET",
    path: "/v1/services/:namespace/:name",
    kind: "Service",
    summary: "One service: exporters, loads, endpoints, policies",
    access: "viewer",
    query: z.strictObject({ ...at }),
    handle: ({ params, query }) => describeService(hub, params.namespace ?? "", params.name ?? "", query),
  },
  listRoute(hub, "/v1/loads", "load", "LoadList", "Sums by service port and locality", [
    "cluster",
    "namespace",
    "name",
    "port",
    "region",
    "zone",
  ]),
  listRoute(hub, "/v1/endpoints", "endpoint", "EndpointList", "Single endpoints", [
    "cluster",
    "namespace",
    "service",
    "id",
  ]),
  listRoute(hub, "/v1/gateways", "gateway", "GatewayList", "Gateways", ["cluster", "name"]),
  listRoute(hub, "/v1/links", "link", "LinkList", "What each importer holds of each peer", [
    "cluster",
    "peer",
    "state",
  ]),
  listRoute(hub, "/v1/identities", "identity", "IdentityList", "SPIFFE ids", [
    "cluster",
    "namespace",
    "serviceAccount",
  ]),
  listRoute(hub, "/v1/bundles", "trust_bundle", "BundleList", "Trust bundles as members published them", [
    "cluster",
    "trustDomain",
  ]),
  listRoute(hub, "/v1/policies", "policy", "PolicyList", "Allows and failover policies", [
    "cluster",
    "kind",
    "namespace",
    "name",
  ]),
  {
    method: "GET",
    path: "/v1/positions",
    kind: "Positions",
    summary: "Committed ends of all logs and what each importer's proxies have ACKed",
    access: "agent",
    lead: (_call, leader) => positions(hub, leader),
  },
  {
    method: "GET",
    path: "/v1/bundle-map",
    kind: "BundleMap",
    summary: "SPIFFE bundle map of the members' trust domains, for outsiders",
    access: "agent",
    raw: true,
    handle: async ({ reply }) => {
      const found = await bundles(hub);
      await reply
        .type("application/json")
        .header("hansa-map-sequence", String(found?.sequence ?? 0))
        .send(found?.map);
      return undefined;
    },
  },
];
