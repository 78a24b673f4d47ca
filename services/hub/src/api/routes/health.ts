/** Liveness, readiness and metrics. The first two are open, so they tell no more than yes or no for each part. */
import type { Hub } from "../hub.ts";
import type { Route } from "../route.ts";
import { API_VERSION } from "../server.ts";
import { measureStreams } from "./events.ts";

export const healthRoutes = (hub: Hub): Route[] => [
  {
    method: "GET",
    path: "/livez",
    kind: "Live",
    summary: "Whether the process runs",
    access: "none",
    handle: async () => ({ data: { live: true } }),
  },
  {
    method: "GET",
    path: "/readyz",
    kind: "Ready",
    summary: "Whether the hub reads its archive, reaches the bus and is current; 503 otherwise",
    access: "none",
    raw: true,
    handle: async ({ reply }) => {
      const readiness = await hub.readiness();
      const status = readiness.ready ? 200 : 503;
      await reply.status(status).send({ apiVersion: API_VERSION, kind: "Ready", data: readiness });
      return undefined;
    },
  },
  {
    method: "GET",
    path: "/metrics",
    kind: "Metrics",
    summary: "Prometheus text",
    access: "viewer",
    raw: true,
    handle: async ({ reply }) => {
      measureStreams(hub);
      await reply.type(hub.metrics.contentType).send(await hub.metrics.text());
      return undefined;
    },
  },
];
