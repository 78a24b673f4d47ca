/** All routes of the hub, in the order of the document. */
import type { Hub } from "./hub.ts";
import { openApiDocument } from "./openapi.ts";
import type { Route } from "./route.ts";
import { commandRoutes } from "./routes/commands.ts";
import { eventRoutes } from "./routes/events.ts";
import { explainRoutes } from "./routes/explain.ts";
import { healthRoutes } from "./routes/health.ts";
import { joinRoutes } from "./routes/join.ts";
import { readRoutes } from "./routes/reads.ts";
import { recordRoutes } from "./routes/records.ts";
import { tokenRoutes } from "./routes/tokens.ts";

export function routes(hub: Hub): readonly Route[] {
  const all: Route[] = [
    ...healthRoutes(hub),
    ...readRoutes(hub),
    ...eventRoutes(hub),
    ...explainRoutes(hub),
    ...tokenRoutes(hub),
    ...joinRoutes(hub),
    ...commandRoutes(hub),
    ...recordRoutes(hub),
  ];
  all.push({
    method: "GET",
    path: "/v1/openapi.json",
    kind: "OpenApi",
    summary: "This API as an OpenAPI 3.1 document",
    access: "viewer",
    raw: true,
    handle: async ({ reply }) => {
      await reply.type("application/json").send(openApiDocument(all));
      return undefined;
    },
  });
  return all;
}
