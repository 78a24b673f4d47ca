/** Join, and leave. */
import { HansaError } from "@hansa/core";
import * as z from "zod";
import type { JoinBody } from "../../membership/join.ts";
import type { Hub } from "../hub.ts";
import { allows, type Route } from "../route.ts";

const base64 = z.string().max(128);

const joinBody = z.strictObject({
  secret: z.string().min(1).max(256),
  request: z.string().min(2).max(49_152),
  signature: base64,
  accountProof: base64,
  userProof: base64,
});

export const joinRoutes = (hub: Hub): Route[] => [
  {
    method: "POST",
    path: "/v1/join",
    kind: "Join",
    summary: "Admits a cluster: the body carries a join token's secret and the cluster's signed request",
    access: "secret",
    body: joinBody,
    lead: async ({ body }, leader) => {
      const joined = await leader.join(body as JoinBody);
      return { data: joined, ...(await hub.reader.now()) };
    },
  },
  {
    method: "POST",
    path: "/v1/clusters/:cluster/leave",
    kind: "Leave",
    summary: "Ends a membership; the cluster's own agent may, and operators",
    access: "agent",
    body: z.strictObject({}),
    lead: async ({ params, principal }, leader) => {
      const cluster = params.cluster ?? "";
      const isOwn = principal?.role === "agent" && principal.cluster === cluster;
      if (principal === null || (!isOwn && !allows(principal.role, "operator")))
        throw new HansaError(
          "HSA3002",
          `leave of ${cluster} needs its own agent's token or the role operator`,
        );
      const at = await leader.leave(principal.name, cluster);
      return { data: { cluster, state: "left", at }, ...(await hub.reader.now()) };
    },
  },
];
