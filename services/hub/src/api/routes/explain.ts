/** Why would a call go where it goes, and who may call: the same decisions as in the agents, over the archive's fold. */
import { HansaError, parseClusterName, parseWorkloadId } from "@hansa/core";
import { explainAccess, explainRoute, FailbackMemory } from "@hansa/model";
import * as z from "zod";
import { parseMoment } from "../../read/moment.ts";
import type { Hub } from "../hub.ts";
import type { Route } from "../route.ts";
import { at, name } from "./query.ts";

const service = { ns: name, service: name, ...at };

const momentOf = (value: unknown) => (typeof value === "string" ? parseMoment(value) : null);

export const explainRoutes = (hub: Hub): Route[] => [
  {
    method: "GET",
    path: "/v1/explain/route",
    kind: "RouteExplanation",
    summary: "Order of localities with health, weight and share, and the events that made it so",
    access: "viewer",
    query: z.strictObject({ cluster: name, zone: z.string().max(63).default(""), ...service }),
    handle: async ({ query }) => {
      const {
        cluster,
        zone,
        ns,
        service: wanted,
      } = query as Record<"cluster" | "zone" | "ns" | "service", string>;
      const { fed, position, committedMs } = await hub.reader.fold(momentOf(query.at));
      const parsed = parseClusterName(cluster);
      const member = parsed === undefined ? undefined : fed.member(parsed);
      if (parsed === undefined || member === undefined)
        throw new HansaError("HSA1005", `cluster ${cluster}: not known at position ${position}`);
      const self = { cluster: parsed, region: member.membership.grant.region, zone };
      const input = { fed, self, memory: new FailbackMemory(), monotonicMs: 0 };
      return { data: explainRoute(input, ns, wanted), position, committedMs };
    },
  },
  {
    method: "GET",
    path: "/v1/explain/access",
    kind: "AccessExplanation",
    summary: "Whether a caller reaches a service, and which policy says so",
    access: "viewer",
    query: z.strictObject({ caller: z.string().min(1).max(2048), ...service }),
    handle: async ({ query }) => {
      const { caller, ns, service: wanted } = query as Record<"caller" | "ns" | "service", string>;
      if (parseWorkloadId(caller) === undefined)
        throw new HansaError("HSA1004", "caller: give spiffe://<cluster>.<federation>/ns/<ns>/sa/<sa>");
      const { fed, position, committedMs } = await hub.reader.fold(momentOf(query.at));
      return { data: explainAccess(fed, caller, ns, wanted), position, committedMs };
    },
  },
];
